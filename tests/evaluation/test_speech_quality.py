import sys
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError, MissingPackageError
from spiritlm_cli.evaluation.speech_quality import QualityEstimator, describe_quality
from spiritlm_cli.manifests.clip import Waveform


def test_quality_falls_with_noise(recording_file: Path) -> None:
    pytest.importorskip("speechmos")
    recording = read_audio(recording_file)
    assert describe_quality().startswith("speechmos 0.")
    estimator = QualityEstimator()
    noise = np.random.default_rng(0).standard_normal(len(recording.samples)).astype(np.float32)
    clean, noisy = (
        estimator(Waveform(recording.samples + level * noise, recording.rate)) for level in (0, 0.1)
    )
    assert 2.5 < clean.overall < 5
    assert 1 <= noisy.overall < clean.overall - 0.5
    assert noisy.background < clean.background
    assert min(clean.speech, clean.p808) > 2
    with pytest.raises(AudioError):
        estimator(Waveform(recording.samples[:0], recording.rate))


def test_missing_speechmos_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speechmos", None)
    with pytest.raises(MissingPackageError, match=r"speechmos.*DNSMOS.*spiritlm\[quality\]"):
        QualityEstimator()
