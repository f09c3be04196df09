import numpy as np
import pytest
import torch
from torch import Tensor

from spiritlm_cli.speech.perturbation import add_noise, perturb, reverberate, shift_pitch, stretch_time
from spiritlm_cli.training.options import PERTURBATIONS

RATE = 16000


@pytest.fixture(scope="module")
def tone() -> Tensor:
    """Two rows of one second of 440 Hz."""
    return 0.5 * torch.sin(2 * np.pi * 440 * torch.arange(RATE) / RATE).expand(2, -1)


def frequency(waveform: Tensor) -> float:
    """Hz of the strongest bin of the first row, away from its ends."""
    middle = waveform[0, 2000:-2000] * torch.hann_window(waveform.shape[1] - 4000)
    return float(torch.fft.rfft(middle, RATE).abs().argmax())


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.2])
def test_stretch_time_keeps_the_pitch_and_the_level(tone: Tensor, speed: float) -> None:
    stretched = stretch_time(tone, speed)
    assert stretched.shape == (2, round(RATE / speed))
    assert frequency(stretched) == pytest.approx(440, abs=2)
    assert stretched[:, 2000:-2000].abs().max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("semitones", [-4, 0, 4])
def test_shift_pitch_keeps_the_duration(tone: Tensor, semitones: int) -> None:
    shifted = shift_pitch(tone, semitones)
    assert shifted.shape == tone.shape
    assert frequency(shifted) == pytest.approx(440 * 2 ** (semitones / 12), abs=2)


def test_reverberate_adds_a_tail() -> None:
    click = torch.zeros(3, RATE)
    click[:, 100] = 1
    changed = reverberate(click, np.random.default_rng(0))
    assert torch.allclose(changed[:, 100], torch.ones(3), atol=1e-4)
    tail = changed[:, 101:].square().sum(1)
    assert ((tail > 0.09) & (tail < 1.01)).all()


def test_add_noise_has_an_snr_of_5_to_15_db(tone: Tensor) -> None:
    noise = add_noise(tone, np.random.default_rng(0)) - tone
    snr = 10 * (tone.square().mean(1) / noise.square().mean(1)).log10()
    assert ((snr > 4.9) & (snr < 15.1)).all()


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_perturb_is_reproducible(name: str, tone: Tensor) -> None:
    changed, speed = perturb(name, tone, np.random.default_rng(3))
    again, _ = perturb(name, tone, np.random.default_rng(3))
    assert torch.equal(changed, again)
    assert changed.shape == (2, round(RATE / speed))
    assert changed.isfinite().all()


def test_perturb_refuses_an_unknown_name(tone: Tensor) -> None:
    with pytest.raises(ValueError, match="echo"):
        perturb("echo", tone, np.random.default_rng(0))
