"""Spectral losses between waveforms."""

import torch
from librosa.filters import mel as mel_filters
from torch import Tensor, nn
from torch.nn import functional as F


class SpectralLoss(nn.Module):
    """Log-mel distance, and spectral convergence with log-magnitude distance at three resolutions.

    Mel as in HiFi-GAN: 80 bands, window 1024, hop 256. Resolutions after Yamamoto et al. 2020 (Parallel WaveGAN).
    """

    mel: Tensor

    def __init__(self, rate: int = 16000) -> None:
        super().__init__()
        self.register_buffer("mel", torch.from_numpy(mel_filters(sr=rate, n_fft=1024, n_mels=80)))

    def forward(self, made: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """made, real: (batch, samples). Returns the mel distance and the STFT distance, both scalars."""
        stft = torch.zeros((), device=made.device)
        mel = torch.zeros((), device=made.device)
        for size, hop in ((512, 128), (1024, 256), (2048, 512)):
            a, b = magnitude(made, size, hop), magnitude(real, size, hop)
            if size == 1024:
                mel = F.l1_loss(log(self.mel @ a), log(self.mel @ b))
            distance = torch.linalg.vector_norm(b - a, dim=(1, 2))
            size_of_real = torch.linalg.vector_norm(b, dim=(1, 2))
            stft = stft + (distance / size_of_real.clamp(min=1e-3)).mean() + F.l1_loss(log(a), log(b))
        return mel, stft / 3


def magnitude(waveform: Tensor, size: int, hop: int) -> Tensor:
    """(batch, samples) to (batch, size // 2 + 1, frames)."""
    window = torch.hann_window(size, device=waveform.device)
    spectrum = torch.stft(waveform, size, hop, window=window, return_complex=True)
    # avoids the infinite gradient of the square root at zero
    return (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()


def log(magnitudes: Tensor) -> Tensor:
    """Natural logarithm, clamped at −100 dB relative to full scale."""
    return torch.log(magnitudes.clamp(min=1e-5))
