"""Augmentation of training waveforms: speaker, room, channel, codec and noise, independently for each row.

Every public function takes and returns (batch, samples) float32 at 16 kHz, on any device. All random numbers are from
`rng`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from spiritlm_cli.speech.perturbation import draw_noise
from spiritlm_cli.speech.windows import SAMPLE_RATE

Change = Callable[[Tensor, np.random.Generator], Tensor]

# Window and hop of the STFT, in samples.
_WINDOW, _HOP = 512, 128
# Number of cepstral coefficients that form the spectral envelope: shorter than the pitch period up to 530 Hz.
_LIFTER = 30


def augment(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Apply an equalizer, a room response, noise at 3 to 30 dB SNR, and a gain to each row."""
    batch, samples = waveform.shape
    size = 2 * samples
    spectrum = torch.fft.rfft(waveform, size)
    spectrum = spectrum * _equalizers(waveform, spectrum.shape[-1], rng)
    spectrum = spectrum * torch.fft.rfft(_room_responses(waveform, rng), size)
    changed = torch.fft.irfft(spectrum, size)[:, :samples]
    level = changed.square().mean(1, keepdim=True).sqrt() + 1e-5
    noise = draw_noise(waveform, rng)
    snr = _like(rng.uniform(3, 30, (batch, 1)), waveform)
    gain = _like(10 ** rng.uniform(-1, 0.3, (batch, 1)), waveform)
    augmented: Tensor = (changed / level + noise * 10 ** (-snr / 20)) * gain * 0.1
    return augmented


def augment_hard(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Apply `augment`, and to random rows a formant shift, a band limit, a lossy codec, or clipping."""
    batch = len(waveform)
    waveform = _apply(waveform, rng.random(batch) < 0.4, shift_formants, rng)
    waveform = augment(waveform, rng)
    waveform = _apply(waveform, rng.random(batch) < 0.3, limit_band, rng)
    waveform = _apply(waveform, rng.random(batch) < 0.2, drop_weak_bins, rng)
    waveform = _apply(waveform, rng.random(batch) < 0.15, compand, rng)
    return _apply(waveform, rng.random(batch) < 0.1, clip_peaks, rng)


def shift_formants(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Stretch the spectral envelope by up to 18 %, as by another vocal tract length; pitch and timing stay."""
    samples = waveform.shape[1]
    window = torch.hann_window(_WINDOW, device=waveform.device)
    spectrum = torch.stft(waveform, _WINDOW, _HOP, window=window, return_complex=True)
    log = (spectrum.abs() + 1e-5).log()
    cepstrum = torch.fft.irfft(log, dim=1)
    cepstrum[:, _LIFTER : _WINDOW - _LIFTER + 1] = 0
    envelope = torch.fft.rfft(cepstrum, dim=1).real
    bins = envelope.shape[1]
    factors = _like(np.exp(rng.uniform(-0.18, 0.18, (len(waveform), 1))), waveform)
    source = (torch.arange(bins, device=waveform.device) * factors).clamp(max=bins - 1)
    low = source.floor().long().clamp(max=bins - 2)
    share = (source - low)[:, :, None]
    index = low[:, :, None].expand_as(envelope)
    moved = envelope.gather(1, index) * (1 - share) + envelope.gather(1, index + 1) * share
    changed: Tensor = spectrum * (moved - envelope).exp()
    result: Tensor = torch.istft(changed, _WINDOW, _HOP, window=window, length=samples)
    return result


def limit_band(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Band-pass each row: 300–3400 Hz (telephone) with probability 1/3, else from 0–150 Hz to 2500–7000 Hz."""
    batch, samples = waveform.shape
    spectrum = torch.fft.rfft(waveform)
    frequency = torch.fft.rfftfreq(samples, 1 / SAMPLE_RATE, device=waveform.device)
    telephone = rng.random((batch, 1)) < 1 / 3
    low = _like(np.where(telephone, 300, rng.uniform(0, 150, (batch, 1))), waveform)
    high = _like(np.where(telephone, 3400, rng.uniform(2500, 7000, (batch, 1))), waveform)
    # band edges about 100 Hz wide
    gain = torch.sigmoid((frequency - low) / 25) * torch.sigmoid((high - frequency) / 25)
    limited: Tensor = torch.fft.irfft(spectrum * gain, samples)
    return limited


def drop_weak_bins(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Zero STFT bins that are 20 to 40 dB below the strongest bin of their frame, as low-rate codecs do."""
    window = torch.hann_window(_WINDOW, device=waveform.device)
    spectrum = torch.stft(waveform, _WINDOW, _HOP, window=window, return_complex=True)
    magnitude = spectrum.abs()
    threshold = _like(10 ** (-rng.uniform(20, 40, (len(waveform), 1, 1)) / 20), waveform)
    kept = magnitude > threshold * magnitude.amax(1, keepdim=True)
    changed: Tensor = torch.istft(spectrum * kept, _WINDOW, _HOP, window=window, length=waveform.shape[1])
    return changed


def compand(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Round to 5 to 8 bits on the μ-law scale (ITU-T G.711), relative to the row's peak."""
    mu = 255.0
    peak = waveform.abs().amax(1, keepdim=True) + 1e-6
    steps = _like(2.0 ** (rng.integers(5, 9, (len(waveform), 1)) - 1), waveform)
    x = waveform / peak
    companded = x.sign() * torch.log1p(mu * x.abs()) / np.log1p(mu)
    rounded = (companded * steps).round() / steps
    expanded: Tensor = rounded.sign() * torch.expm1(rounded.abs() * np.log1p(mu)) / mu * peak
    return expanded


def clip_peaks(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Clip each row at 0.15 to 0.6 of its peak."""
    peak = waveform.abs().amax(1, keepdim=True)
    limit = peak * _like(rng.uniform(0.15, 0.6, (len(waveform), 1)), waveform)
    return torch.maximum(torch.minimum(waveform, limit), -limit)


def _apply(waveform: Tensor, rows: NDArray[np.bool_], change: Change, rng: np.random.Generator) -> Tensor:
    """Apply `change` to some rows. rows: (batch,) bool."""
    if not rows.any():
        return waveform
    chosen = torch.from_numpy(np.flatnonzero(rows)).to(waveform.device)
    return waveform.index_copy(0, chosen, change(waveform[chosen], rng))


def _like(values: NDArray[np.floating[Any]], waveform: Tensor) -> Tensor:
    """Convert values to a float32 tensor on the device of the waveform."""
    return torch.from_numpy(values).to(waveform.device, torch.float32)


def _equalizers(waveform: Tensor, bins: int, rng: np.random.Generator) -> Tensor:
    """Draw smooth gain curves within ±8 dB. Returns (batch, bins), linear gain."""
    knots = _like(rng.uniform(-8, 8, (len(waveform), 1, 8)), waveform)
    return 10 ** (F.interpolate(knots, bins, mode="linear", align_corners=True)[:, 0] / 20)


def _room_responses(waveform: Tensor, rng: np.random.Generator) -> Tensor:
    """Draw impulse responses: direct sound, and for half of the rows decaying noise with a T60 of 0.1 to 0.6 s.

    Returns (batch, 6400), 0.4 s.
    """
    batch, length = len(waveform), 6400
    time = np.arange(length) / SAMPLE_RATE
    decay = np.exp(-6.9 * time[None] / rng.uniform(0.1, 0.6, (batch, 1)))
    tail = rng.standard_normal((batch, length)) * decay * rng.uniform(0, 0.06, (batch, 1))
    tail *= rng.random((batch, 1)) < 0.5
    tail[:, :16] = 0
    tail[:, 0] = 1
    return _like(tail, waveform)
