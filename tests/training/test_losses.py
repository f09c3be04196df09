import math

import pytest
import torch

from spiritlm_cli.training.losses import SpectralLoss, log_magnitude, magnitude


def tone(frequency: float, samples: int = 16000) -> torch.Tensor:
    return torch.sin(2 * math.pi * frequency * torch.arange(samples) / 16000)[None]


def test_magnitude_of_a_sine() -> None:
    spectrum = magnitude(tone(1000), 512, 128)
    assert spectrum.shape == (1, 257, 126)
    frame = spectrum[0, :, 60]
    # 1000 Hz is bin 32, and the sum of a Hann window is half its size
    assert frame.argmax() == 32
    assert frame[32].item() == pytest.approx(512 / 4, rel=1e-3)


def test_magnitude_has_a_finite_gradient_at_silence() -> None:
    waveform = torch.zeros(1, 2048, requires_grad=True)
    magnitude(waveform, 512, 128).sum().backward()
    assert waveform.grad is not None
    assert waveform.grad.isfinite().all()


def test_log_magnitude_has_a_floor() -> None:
    assert log_magnitude(torch.tensor([1.0, 0.0])).tolist() == pytest.approx([0.0, math.log(1e-5)])


def test_spectral_loss_of_equal_waveforms_is_zero() -> None:
    waveform = torch.randn(2, 4096, generator=torch.Generator().manual_seed(0))
    assert [loss.item() for loss in SpectralLoss()(waveform, waveform)] == [0, 0]


def test_spectral_loss_of_half_the_amplitude() -> None:
    real = torch.randn(2, 8192, generator=torch.Generator().manual_seed(0))
    mel, stft = SpectralLoss()(real / 2, real)
    assert mel.item() == pytest.approx(math.log(2), abs=1e-3)
    # spectral convergence is 1/2, the distance of log-magnitudes ln 2
    assert stft.item() == pytest.approx(0.5 + math.log(2), abs=1e-3)
