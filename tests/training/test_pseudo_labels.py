from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.training.pseudo_labels import WhisperEncoder, make_labels, phone_agreement, phone_labels

SEQUENCE = np.array([0, 0, 1, 1, 2, 2, 1, 1])


@pytest.fixture
def features() -> dict[str, np.ndarray]:
    """Two clips of eight frames: three groups of points, far apart, in the order of `SEQUENCE`."""
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0, 0, 9], [9, 0, 0, 0], [0, 9, 0, 0]], dtype=np.float32)
    return {clip: (centers[SEQUENCE] + 0.1 * rng.standard_normal((8, 4))).astype(np.float32) for clip in "ab"}


def test_phone_labels_are_thirds_of_phones() -> None:
    phones = (Phone("AH", 0.0, 0.24), Phone("T", 0.24, 0.28))
    assert phone_labels(phones, 8) == ["AH0", "AH0", "AH1", "AH1", "AH2", "AH2", "T1", ""]


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
    assert "phone purity 1.000, phone-normalized mutual information 1.000" in capsys.readouterr().err


def test_phone_agreement() -> None:
    units = np.array([0, 0, 1, 1])
    assert phone_agreement(units, np.array(["A", "A", "B", "B"])) == pytest.approx((1.0, 1.0))
    assert phone_agreement(units, np.array(["A", "B", "A", "B"])) == pytest.approx((0.5, 0.0))


def test_whisper_encoder_needs_a_ctranslate2_folder(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    with pytest.raises(SpiritLMError, match=r"no model\.bin"):
        WhisperEncoder(tmp_path)
