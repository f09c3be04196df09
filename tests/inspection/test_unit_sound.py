import numpy as np
import pytest

from spiritlm_cli.inspection.unit_sound import cut_place, pause
from spiritlm_cli.manifests.clip import Waveform


def tone(level: float, seconds: float = 1.0) -> Waveform:
    samples = level * np.sin(np.arange(round(16000 * seconds)) * 0.3)
    return Waveform(samples.astype(np.float32), 16000)


def rms(samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def test_cut_place_has_context():
    samples, before = cut_place(tone(0.5), 0.5, 0.54, 0.06)
    assert len(samples) == 16000 * 0.16
    assert before == pytest.approx(0.06)


def test_cut_place_at_the_ends():
    samples, before = cut_place(tone(0.5), 0.02, 0.06, 0.06)
    assert len(samples) == 16000 * 0.12
    assert before == pytest.approx(0.02)
    samples, before = cut_place(tone(0.5), 0.96, 1.0, 0.06)
    assert len(samples) == 16000 * 0.1
    assert before == pytest.approx(0.06)


@pytest.mark.parametrize("level", [0.01, 0.1, 0.9])
def test_cut_place_matches_the_level(level):
    samples, _ = cut_place(tone(level), 0.4, 0.6, 0.1)
    assert rms(samples[200:-200]) == pytest.approx(0.05, rel=0.03)


def test_cut_place_does_not_amplify_silence_much():
    assert rms(cut_place(tone(0.0001), 0.4, 0.6, 0)[0]) == pytest.approx(0.0007, rel=0.1)
    assert not cut_place(tone(0), 0.4, 0.6, 0)[0].any()


def test_cut_place_has_ramps():
    samples, _ = cut_place(Waveform(np.ones(16000, np.float32), 16000), 0.4, 0.6, 0)
    assert samples[0] == samples[-1] == 0
    assert np.abs(np.diff(samples)).max() < 0.002


def test_cut_place_leaves_the_original():
    waveform = tone(0.5)
    before = waveform.samples.copy()
    cut_place(waveform, 0, 1, 0)
    assert np.array_equal(waveform.samples, before)


def test_cut_place_without_duration():
    assert len(cut_place(tone(0.5), 0.5, 0.5, 0)[0]) == 0


def test_pause():
    assert pause(16000).tolist() == [0] * 3200
