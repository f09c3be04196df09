"""Both F0 trackers on tones, speech, silence, and in windows."""

import numpy as np
import pytest

from spiritlm_cli.speech import f0 as module
from spiritlm_cli.speech import windows
from spiritlm_cli.speech.f0 import F0Tracker, interpolate_unvoiced, load_tracker


@pytest.fixture(scope="module", params=["fcpe", "pyaapt"])
def tracker(request: pytest.FixtureRequest) -> F0Tracker:
    return load_tracker(request.param)


def voice(hertz: float, seconds: float) -> np.ndarray:
    """A tone with falling harmonics."""
    time = np.arange(int(16000 * seconds)) / 16000
    return sum(np.sin(2 * np.pi * hertz * n * time) / n for n in range(1, 12)).astype(np.float32) * 0.2


def test_fcpe_tracks_f0_and_interpolates_over_pauses() -> None:
    rest = np.zeros(8000, np.float32)
    track = load_tracker("fcpe")(np.concatenate([rest, voice(120, 0.5), rest, voice(240, 0.5), rest]))
    assert len(track.f0) == 40000 // 80 + 1
    assert track.voiced[[150, 350]].all()
    assert not track.voiced[[50, 250, 450]].any()
    np.testing.assert_allclose(track.f0[[0, 150, 250, 350, -1]], [120, 120, 180, 240, 240], rtol=0.05)


def test_trackers_agree_on_speech(clips) -> None:
    fcpe, yaapt = (load_tracker(method)(clips["whole"].samples) for method in ("fcpe", "pyaapt"))
    assert (len(fcpe.f0), len(yaapt.f0)) == (146160 // 80 + 1, 146160 // 80)
    both = fcpe.voiced[:-1] & yaapt.voiced
    assert both.mean() > 0.35
    assert (np.abs(fcpe.f0[:-1] / yaapt.f0 - 1)[both] < 0.05).mean() > 0.9
    assert (fcpe.voiced[:-1] == yaapt.voiced).mean() > 0.9


def test_unvoiced_frames_are_interpolated(tracker, clips) -> None:
    track = tracker(clips["medium"].samples)
    assert not track.voiced.all()
    assert (track.f0 > 50).all()
    first = int(track.voiced.argmax())
    assert (track.f0[:first] == track.f0[first]).all()


def test_f0_does_not_depend_on_the_level_over_full_scale(tracker, clips) -> None:
    samples = clips["medium"].samples
    full = samples / np.abs(samples).max()
    expected = tracker(full)
    for gain in (2, 8, 16):
        track = tracker(full * np.float32(gain))
        assert np.array_equal(track.f0, expected.f0)
        assert np.array_equal(track.voiced, expected.voiced)


@pytest.mark.parametrize("samples", [1280, 16000])
def test_f0_of_silence_is_0(tracker, samples) -> None:
    track = tracker(np.zeros(samples, np.float32))
    assert abs(len(track.f0) - (samples // 80 + 1)) <= 1
    assert not track.f0.any()
    assert not track.voiced.any()


def test_f0_is_finite(tracker) -> None:
    rng = np.random.default_rng(0)
    click = np.zeros(1300, np.float32)
    click[700] = 1
    for samples in (click, np.ones(2000, np.float32), rng.normal(0, 1, 1281).astype(np.float32)):
        assert np.isfinite(tracker(samples).f0).all()


def test_f0_in_windows_has_as_many_frames(tracker, monkeypatch) -> None:
    samples = voice(150, 1.25)
    whole = tracker(samples)
    monkeypatch.setattr(windows, "WINDOW_SAMPLES", 8000)
    monkeypatch.setattr(module, "WINDOW_SAMPLES", 8000)
    windowed = tracker(samples)
    assert len(windowed.f0) == len(whole.f0)
    np.testing.assert_allclose(np.median(windowed.f0), np.median(whole.f0), rtol=0.02)


@pytest.mark.parametrize("more", [1, 100, 1280, 1281])
def test_f0_with_a_short_last_window(tracker, monkeypatch, more) -> None:
    monkeypatch.setattr(windows, "WINDOW_SAMPLES", 8000)
    monkeypatch.setattr(module, "WINDOW_SAMPLES", 8000)
    track = tracker(voice(150, 1)[: 8000 + more])
    assert abs(len(track.f0) - ((8000 + more) // 80 + 1)) <= 1


def test_interpolate_unvoiced_is_constant_at_the_ends() -> None:
    f0 = np.array([0, 0, 100, 0, 0, 160, 0], np.float32)
    assert interpolate_unvoiced(f0, f0 > 0).tolist() == [100, 100, 100, 120, 140, 160, 160]
