"""Changes of speech that must not change its units: time stretch, pitch shift, reverberation and noise.

Those that augmentation-invariant units are trained with and measured on (Gat et al. 2023, arXiv 2209.15483), in their
ranges. Waveforms are (batch, samples) float32 at 16 kHz, on any device. All random numbers are from `rng`.
"""

import numpy as np
import torch
from torch import Tensor

from spiritlm_cli.speech.windows import SAMPLE_RATE

# Window and hop of the phase vocoder, in samples.
_WINDOW, _HOP = 512, 128


def perturb(name: str, waveform: Tensor, rng: np.random.Generator) -> tuple[Tensor, float]:
    """Apply a change: "stretch", "pitch", "reverb" or "noise".

    Its size is drawn for the batch, or for each row (reverberation, noise). Returns the waveform, and its speed: it has
    samples / speed samples. Raises ValueError for another name.
    """
    if name == "stretch":
        speed = float(rng.uniform(0.8, 1.2))
        return stretch_time(waveform, speed), speed
    if name == "pitch":
        return shift_pitch(waveform, float(rng.uniform(-4, 4))), 1.0
    if name == "reverb":
        return reverberate(waveform, rng), 1.0
    if name == "noise":
        return add_noise(waveform, rng), 1.0
    raise ValueError(f"no change is called {name}")


def stretch_time(waveform: Tensor, speed: float) -> Tensor:
    """Change the speed by a phase vocoder (Flanagan and Golden 1966); the pitch stays.

    speed: above 1 is faster. Returns (batch, round(samples / speed)).
    """
    samples = round(waveform.shape[1] / speed)
    window = torch.hann_window(_WINDOW, device=waveform.device)
    # zeros before the first sample: mirrored samples would give the bins of a tone unequal phases, and cancel it
    spectrum = torch.stft(waveform, _WINDOW, _HOP, window=window, pad_mode="constant", return_complex=True)
    bins, frames = spectrum.shape[1:]
    times = torch.arange(0, frames - 1, speed, device=waveform.device)
    low = times.long().clamp(max=frames - 2)
    share = times - low
    magnitude, phase = spectrum.abs(), spectrum.angle()
    magnitude = magnitude[..., low] * (1 - share) + magnitude[..., low + 1] * share
    # the phase that each bin advances by in a hop: that of its center, and the difference from it within ± π
    center = 2 * np.pi * _HOP / _WINDOW * torch.arange(bins, device=waveform.device)[:, None]
    difference = phase[..., low + 1] - phase[..., low] - center
    advance = center + difference - 2 * np.pi * (difference / (2 * np.pi)).round()
    start = phase[..., :1]
    phase = torch.cat([start, start + advance.cumsum(-1)[..., :-1]], -1)
    stretched: Tensor = torch.istft(
        torch.polar(magnitude, phase), _WINDOW, _HOP, window=window, length=samples
    )
    return stretched


def shift_pitch(waveform: Tensor, semitones: float) -> Tensor:
    """Shift pitch and formants; the duration stays. Returns the shape of the waveform."""
    samples = waveform.shape[1]
    longer = stretch_time(waveform, 2 ** (-semitones / 12))
    spectrum = torch.fft.rfft(longer)[:, : samples // 2 + 1]
    shifted: Tensor = torch.fft.irfft(spectrum, samples) * (samples / longer.shape[1])
    return shifted


def reverberate(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Add a room's response: decaying noise with a T60 of 0.2 to 0.8 s, 0 to 10 dB below the direct sound."""
    batch, samples = waveform.shape
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tail = rng.standard_normal((batch, SAMPLE_RATE)) * np.exp(-6.9 * time / rng.uniform(0.2, 0.8, (batch, 1)))
    tail[:, :16] = 0
    tail *= 10 ** (-rng.uniform(0, 10, (batch, 1)) / 20) / np.sqrt(np.square(tail).sum(1, keepdims=True))
    tail[:, 0] = 1
    response = torch.from_numpy(tail).to(waveform.device, torch.float32)
    size = samples + SAMPLE_RATE
    spectrum = torch.fft.rfft(waveform, size) * torch.fft.rfft(response, size)
    changed: Tensor = torch.fft.irfft(spectrum, size)[:, :samples]
    return changed


def add_noise(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Add colored noise or, in batches, babble at 5 to 15 dB SNR."""
    level = waveform.square().mean(1, keepdim=True).sqrt()
    snr = torch.from_numpy(rng.uniform(5, 15, (len(waveform), 1))).to(waveform.device, torch.float32)
    return waveform + draw_noise(waveform, rng) * level * 10 ** (-snr / 20)


def draw_noise(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Draw noise of RMS 1, (batch, samples): colored, or for a third of the rows babble, the sum of other rows."""
    batch, samples = waveform.shape
    white = torch.from_numpy(rng.standard_normal((batch, samples), dtype=np.float32)).to(waveform.device)
    spectrum = torch.fft.rfft(white)
    slope = torch.from_numpy(rng.uniform(0, 1, (batch, 1))).to(waveform.device, torch.float32)
    frequency = torch.arange(spectrum.shape[1], device=waveform.device) + 20.0
    colored = torch.fft.irfft(spectrum / frequency**slope, samples)
    babble = sum(waveform.roll(k, 0) for k in range(1, min(4, batch)))
    chosen = torch.from_numpy(rng.random((batch, 1)) < 0.33).to(waveform.device)
    noise = torch.where(chosen, torch.as_tensor(babble), colored) if batch > 1 else colored
    return noise / (noise.square().mean(1, keepdim=True).sqrt() + 1e-5)
