"""Spectral losses between waveforms."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Added to magnitudes before the logarithm, some 20 dB below the medians of speech. Without it the gradient at a
# magnitude is inverse to it, and that of digital silence, as between words of synthetic speech, outweighs speech.
MEL_FLOOR, MAGNITUDE_FLOOR = 5e-4, 3e-3


class SpectralLoss(nn.Module):
    """Log-mel distance and multi-resolution STFT distance.

    Mel: L1 distance as in HiFi-GAN (Kong et al. 2020), with 80 bands, window 1024, hop 256. STFT: spectral convergence
    plus log-magnitude L1 distance, averaged over three resolutions (Yamamoto et al. 2020, Parallel WaveGAN). Logarithms
    have floors, and the convergence is of a whole batch, so that silent waveforms don't dominate the gradient.
    """

    mel: Tensor

    def __init__(self, rate: int = 16000) -> None:
        # the import takes a second
        from librosa.filters import mel

        super().__init__()
        self.register_buffer("mel", torch.from_numpy(mel(sr=rate, n_fft=1024, n_mels=80)))

    def forward(self, generated: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Compare waveforms. generated, real: (batch, samples). Returns the mel and the STFT distance, both scalars."""
        stft = torch.zeros((), device=generated.device)
        mel = torch.zeros((), device=generated.device)
        for size, hop in ((512, 128), (1024, 256), (2048, 512)):
            a, b = magnitude(generated, size, hop), magnitude(real, size, hop)
            if size == 1024:
                mel = _log_distance(self.mel @ a, self.mel @ b, MEL_FLOOR)
            distance, norm = torch.linalg.vector_norm(b - a), torch.linalg.vector_norm(b)
            stft = stft + distance / norm.clamp(min=1e-3) + _log_distance(a, b, MAGNITUDE_FLOOR)
        return mel, stft / 3


def magnitude(waveform: Tensor, size: int, hop: int) -> Tensor:
    """Compute STFT magnitudes with a Hann window.

    waveform: (batch, samples). size: window. Returns (batch, size // 2 + 1, samples // hop + 1).
    """
    window = torch.hann_window(size, device=waveform.device)
    spectrum = torch.stft(waveform, size, hop, window=window, return_complex=True)
    # the gradient of the square root is infinite at zero
    return (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()


def _log_distance(a: Tensor, b: Tensor, floor: float) -> Tensor:
    """Mean absolute difference of the natural logarithms of magnitudes, with `floor` added to each."""
    return F.l1_loss((a + floor).log(), (b + floor).log())
