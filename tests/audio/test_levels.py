import numpy as np
import pytest

from spiritlm_cli.audio.levels import frame_levels, silent_frames
from spiritlm_cli.manifests.clip import Waveform

RATE = 16000
FRAME = 640  # samples of 40 ms


def steps(*amplitudes: float) -> Waveform:
    """A square wave: one frame of 40 ms for each amplitude."""
    signs = np.tile(np.array([1, -1], dtype=np.float32), FRAME // 2)
    return Waveform(np.concatenate([signs * np.float32(amplitude) for amplitude in amplitudes]), RATE)


def test_frame_levels() -> None:
    assert frame_levels(steps(1, 0.1, 0), 0.04) == pytest.approx([0, -20, -120], abs=1e-3)
    # the last 20 ms are no whole frame
    assert len(frame_levels(Waveform(np.zeros(FRAME + FRAME // 2, np.float32), RATE), 0.04)) == 1


def test_silent_frames_are_relative_to_the_loud_ones() -> None:
    # 24 and 26 dB below the loud frames
    wave = steps(0.5, 0.5, 0.5 * 10 ** (-24 / 20), 0.5 * 10 ** (-26 / 20), 0)
    for gain in (1, 1e-2):
        quieter = Waveform(wave.samples * np.float32(gain), RATE)
        assert silent_frames(quieter, 0.04).tolist() == [False, False, False, True, True]


def test_silent_frames_of_digital_silence_and_of_nothing() -> None:
    assert silent_frames(steps(0, 0), 0.04).tolist() == [True, True]
    assert silent_frames(Waveform(np.zeros(3, np.float32), RATE), 0.04).tolist() == []
