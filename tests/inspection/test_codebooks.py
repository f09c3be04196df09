from pathlib import Path

import pytest

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.inspection.codebooks import model_codebooks
from spiritlm_cli.tokens.units import Kind


def test_model_codebooks() -> None:
    assert model_codebooks("nano") == {Kind.HUBERT: 500, Kind.PITCH: 64, Kind.STYLE: 100}


def test_model_codebooks_of_a_release(release_tree: Path) -> None:
    sizes = model_codebooks(str(release_tree))
    assert list(sizes) == list(Kind)
    assert min(sizes.values()) > 1


def test_model_codebooks_without_a_tokenizer(release_tree: Path, tmp_path: Path) -> None:
    root = tmp_path / "model"
    (root / "spiritlm_model").mkdir(parents=True)
    speech = "speech_tokenizer"
    (root / speech).mkdir()
    for folder in (release_tree / speech).iterdir():
        if folder.name not in ("hubert_25hz", "vqvae_f0_quantizer"):
            (root / speech / folder.name).symlink_to(folder)
    assert list(model_codebooks(str(root))) == [Kind.STYLE]


def test_model_codebooks_of_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        model_codebooks(str(tmp_path / "none"))
