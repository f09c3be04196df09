from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from spiritlm_cli.training.augmentation import (
    augment,
    augment_hard,
    clip_peaks,
    compand,
    drop_weak_bins,
    limit_band,
    shift_formants,
)

RATE = 16000
Change = Callable[[Tensor, np.random.Generator], Tensor]


@pytest.fixture(scope="module")
def waveform() -> Tensor:
    """Four rows of one second: harmonics of 150 Hz up to 7.4 kHz with amplitudes 1 / k, and weak noise."""
    time = torch.arange(RATE) / RATE
    tones = torch.stack([torch.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 50)]).sum(0)
    return 0.1 * (tones + 0.01 * torch.randn(4, RATE, generator=torch.Generator().manual_seed(0)))


def band_power(waveform: Tensor, low: float, high: float) -> Tensor:
    """(rows,) dB."""
    power = torch.fft.rfft(waveform).abs().square()
    frequency = torch.fft.rfftfreq(waveform.shape[1], 1 / RATE)
    return 10 * power[:, (frequency >= low) & (frequency < high)].mean(1).log10()


@pytest.mark.parametrize(
    "change", [augment, augment_hard, shift_formants, limit_band, drop_weak_bins, compand, clip_peaks]
)
def test_augmentation_keeps_the_shape_and_is_reproducible(change: Change, waveform: Tensor) -> None:
    changed = change(waveform, np.random.default_rng(1))
    assert changed.shape == waveform.shape
    assert changed.isfinite().all()
    assert torch.equal(changed, change(waveform, np.random.default_rng(1)))
    assert not torch.equal(changed, waveform)


def test_limit_band_cuts_above_7_khz(waveform: Tensor) -> None:
    limited = limit_band(waveform, np.random.default_rng(0))
    assert (band_power(limited, 7500, 8000) < band_power(waveform, 7500, 8000) - 20).all()
    assert (band_power(limited, 400, 2400) - band_power(waveform, 400, 2400)).abs().max() < 1


def test_shift_formants_keeps_pitch(waveform: Tensor) -> None:
    shifted = shift_formants(waveform, np.random.default_rng(0))
    peaks = torch.fft.rfft(shifted).abs().topk(3, dim=1).indices
    assert (peaks % 150 == 0).all()


def test_drop_weak_bins_removes_a_tone_60_db_down() -> None:
    time = torch.arange(RATE) / RATE
    tones = torch.sin(2 * np.pi * 500 * time) + 1e-3 * torch.sin(2 * np.pi * 6000 * time)
    dropped = drop_weak_bins(tones[None], np.random.default_rng(0))
    # not at the edges, where half of a window is padding
    middle, window = slice(RATE // 4, 3 * RATE // 4), torch.hann_window(RATE // 2)
    before, after = (band_power(x[:, middle] * window, 5900, 6100) for x in (tones[None], dropped))
    assert (after < before - 20).all()
    assert torch.allclose(dropped[:, middle], tones[None, middle], atol=0.02)


def test_clip_peaks_and_compand_stay_within_the_peak(waveform: Tensor) -> None:
    peak = waveform.abs().amax(1)
    assert (clip_peaks(waveform, np.random.default_rng(0)).abs().amax(1) <= 0.6 * peak + 1e-6).all()
    companded = compand(waveform, np.random.default_rng(0))
    assert (companded - waveform).abs().max() < 0.1 * peak.max()
    assert len(companded[0].unique()) <= 2**8 + 1
