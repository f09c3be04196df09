from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.training.pseudo_labels import WhisperEncoder, make_labels

SEQUENCE = np.array([0, 0, 1, 1, 2, 2, 1, 1])


@pytest.fixture
def features() -> dict[str, np.ndarray]:
    """Two clips of eight frames: three groups of points, far apart, in the order of `SEQUENCE`."""
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0, 0, 9], [9, 0, 0, 0], [0, 9, 0, 0]], dtype=np.float32)
    return {clip: (centers[SEQUENCE] + 0.1 * rng.standard_normal((8, 4))).astype(np.float32) for clip in "ab"}


def test_make_labels_clusters_features(features: dict[str, np.ndarray]) -> None:
    labels = make_labels(features, {}, 3)
    assert labels["a"].tolist() == labels["b"].tolist()
    names = dict(zip(SEQUENCE.tolist(), labels["a"].tolist(), strict=True))
    assert sorted(names.values()) == [0, 1, 2]
    assert labels["a"].tolist() == [names[index] for index in SEQUENCE.tolist()]


def test_make_labels_keeps_the_ids_of_anchors(features: dict[str, np.ndarray]) -> None:
    anchors = {"a": np.array([7, 5, 0])[SEQUENCE], "elsewhere": np.array([9])}
    labels = make_labels(features, {}, 3, anchors=anchors)
    assert labels["a"].tolist() == labels["b"].tolist() == anchors["a"].tolist()


def test_make_labels_finds_phones_and_reports_agreement(
    features: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    phones = tuple(Phone("KST"[i], 0.04 * frame, 0.04 * (frame + 1)) for frame, i in enumerate(SEQUENCE))
    labels = make_labels(features, {"a": phones}, 3)
    assert labels["a"].tolist() == labels["b"].tolist()
    assert "phone purity 1.000, PNMI 1.000" in capsys.readouterr().err


def test_whisper_encoder_needs_a_ctranslate2_folder(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    with pytest.raises(SpiritLMError, match=r"no model\.bin"):
        WhisperEncoder(tmp_path)
