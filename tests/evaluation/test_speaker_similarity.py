import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError, MissingPackageError
from spiritlm_cli.evaluation.speaker_similarity import SpeakerEncoder, describe_speaker_encoder, similarity
from spiritlm_cli.manifests.clip import Waveform


def test_embeddings_of_one_speaker_are_similar(recording_file: Path) -> None:
    try:
        encoder = SpeakerEncoder()
    except MissingPackageError as error:
        pytest.skip(str(error))
    recording = read_audio(recording_file)
    half = len(recording.samples) // 2
    one, other = (encoder.embed(Waveform(part, 16000)) for part in np.split(recording.samples, [half]))
    assert one is not None
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-4)
    value = similarity(one, other)
    assert value is not None
    assert value > 0.75
    assert encoder.embed(Waveform(np.zeros(16000, np.float32), 16000)) is None
    with pytest.raises(AudioError):
        encoder.embed(Waveform(recording.samples[:0], 16000))


def test_missing_resemblyzer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resemblyzer", None)
    with pytest.raises(MissingPackageError, match=r"pip install resemblyzer webrtcvad 'setuptools<81'"):
        SpeakerEncoder()
    monkeypatch.setattr(importlib.metadata.Distribution, "from_name", _no_distribution)
    with pytest.raises(MissingPackageError, match="pip install resemblyzer"):
        describe_speaker_encoder()


def _no_distribution(name: str) -> None:
    raise importlib.metadata.PackageNotFoundError(name)


def test_similarity_is_the_cosine() -> None:
    a, b = np.array([0.6, 0.8], np.float32), np.array([1.0, 0.0], np.float32)
    assert similarity(a, b) == pytest.approx(0.6)
    assert similarity(a, None) is None
