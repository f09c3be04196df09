"""Windows of long recordings, as the audio reader also cuts them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.reading import read_windows
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech import windows
from spiritlm_cli.speech.windows import MIN_SECONDS, SAMPLE_RATE, split_windows


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [
        (0, [0]),
        (1280, [1280]),
        (16000, [16000]),
        (17279, [17279]),
        (17280, [16000, 1280]),
        (32001, [16000, 16001]),
    ],
)
def test_split_windows_lengths(
    samples: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A remainder of under 80 ms belongs to the window before it."""
    monkeypatch.setattr(windows, "WINDOW_SAMPLES", 16000)
    audio = np.arange(samples, dtype=np.float32) / 2**16
    parts = split_windows(audio)
    assert [len(part) for part in parts] == lengths
    np.testing.assert_array_equal(np.concatenate(parts), audio)
    if samples:
        path = tmp_path / "a.wav"
        soundfile.write(path, audio, SAMPLE_RATE, subtype="FLOAT")
        read = read_windows(Clip("a", path), rate=SAMPLE_RATE, window_seconds=1, min_seconds=MIN_SECONDS)
        assert [len(window.samples) for window in read] == lengths
