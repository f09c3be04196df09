"""Spectral losses between waveforms."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SpectralLoss(nn.Module):
    """Log-mel distance and multi-resolution STFT distance.

    Mel: L1 distance as in HiFi-GAN (Kong et al. 2020), with 80 bands, window 1024, hop 256. STFT: spectral convergence
    plus log-magnitude L1 distance, averaged over three resolutions (Yamamoto et al. 2020, Parallel WaveGAN).
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
                mel = F.l1_loss(log_magnitude(self.mel @ a), log_magnitude(self.mel @ b))
            distance = torch.linalg.vector_norm(b - a, dim=(1, 2))
            norm = torch.linalg.vector_norm(b, dim=(1, 2))
            stft = (
                stft
                + (distance / norm.clamp(min=1e-3)).mean()
                + F.l1_loss(log_magnitude(a), log_magnitude(b))
            )
        return mel, stft / 3


def magnitude(waveform: Tensor, size: int, hop: int) -> Tensor:
    """Compute STFT magnitudes with a Hann window.

    waveform: (batch, samples). size: window. Returns (batch, size // 2 + 1, samples // hop + 1).
    """
    window = torch.hann_window(size, device=waveform.device)
    spectrum = torch.stft(waveform, size, hop, window=window, return_complex=True)
    # the gradient of the square root is infinite at zero
    return (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()


def log_magnitude(magnitudes: Tensor) -> Tensor:
    """Natural logarithm of magnitudes, which are clamped to at least 1e-5 (−100 dB)."""
    return torch.log(magnitudes.clamp(min=1e-5))
