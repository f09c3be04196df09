import math

import pytest
import torch

from spiritlm_cli.training.losses import MEL_FLOOR, SpectralLoss, magnitude


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


def test_spectral_loss_of_equal_waveforms_is_zero() -> None:
    waveform = torch.randn(2, 4096, generator=torch.Generator().manual_seed(0))
    assert [loss.item() for loss in SpectralLoss()(waveform, waveform)] == [0, 0]


def test_spectral_loss_of_half_the_amplitude() -> None:
    real = torch.randn(2, 8192, generator=torch.Generator().manual_seed(0))
    mel, stft = SpectralLoss()(real / 2, real)
    # the floors take away a little; spectral convergence is 1/2, the distance of log-magnitudes ln 2
    assert mel.item() == pytest.approx(math.log(2), abs=2e-3)
    assert stft.item() == pytest.approx(0.5 + math.log(2), abs=2e-3)


def test_mel_distance_to_silence_ends_at_the_floor() -> None:
    loud, silence = tone(1000), torch.zeros(1, 16000)
    levels = [SpectralLoss()(amplitude * loud, silence)[0].item() for amplitude in (1e-1, 1e-5)]
    mel = SpectralLoss().mel @ magnitude(0.1 * loud, 1024, 256)
    assert levels[0] == pytest.approx((1 + mel / MEL_FLOOR).log().mean().item(), abs=1e-2)
    assert levels[1] < 1e-2


def test_gradient_does_not_grow_without_end_near_silence() -> None:
    rng = torch.Generator().manual_seed(0)
    # the difference of two waveforms 60 and 80 dB below speech
    level = torch.tensor([5e-5, 5e-6])[:, None]
    real, generated = (level * torch.randn(2, 8192, generator=rng) for _ in range(2))
    generated.requires_grad_()
    for loss in SpectralLoss()(generated, real):
        (gradient,) = torch.autograd.grad(loss, generated, retain_graph=True)
        higher, lower = gradient.norm(dim=1).tolist()
        # without floors 10 times
        assert lower < 1.5 * higher
