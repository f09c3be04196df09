from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Waveform, Word


def test_waveform_seconds() -> None:
    assert Waveform(np.zeros(24000, np.float32), 16000).seconds == 1.5
    assert Waveform(np.zeros(0, np.float32), 16000).seconds == 0


def test_alignments_with_different_notes_are_equal() -> None:
    words = (Word("a", 0, 1),)
    assert Alignment(words, ("repaired",)) == Alignment(words)
    assert Alignment(words) != Alignment((Word("a", 0, 1, confidence=0.5),))


def test_clips_are_immutable() -> None:
    clips: list[Clip | BadClip] = [Clip("a", Path("a.wav")), BadClip("a", "m.tsv", ManifestError("line 1"))]
    for clip in clips:
        with pytest.raises(FrozenInstanceError):
            clip.id = "b"  # type: ignore[misc]
    assert hash(clips[0]) == hash(Clip("a", Path("a.wav")))
