"""Which parts a model has."""

from pathlib import Path

import pytest

from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.jobs.model_parts import locate


def test_nano() -> None:
    model = locate("nano")
    assert (model.name, model.folder) == ("nano", NANO)
    assert model.has_tokenizer
    assert model.pitch
    assert model.style
    assert model.generator(True)
    assert model.generator(False) is None
    assert list(model.language_models()) == ["language model, expressive"]


def test_release(release_tree: Path) -> None:
    model = locate(str(release_tree))
    assert model.generator(False)
    assert list(model.language_models()) == ["language model, base", "language model, expressive"]


def test_the_folder_of_a_language_model(release_tree: Path) -> None:
    folder = release_tree / "spiritlm_model" / "spirit-lm-base-7b"
    model = locate(str(folder))
    assert model.checkpoint is None
    assert not model.has_tokenizer
    assert model.generator(True) is None
    assert model.language_models() == {"language model": folder}


def test_a_model_by_its_name(release_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIRITLM_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "spirit-lm").symlink_to(release_tree)
    assert locate("spirit-lm").has_tokenizer


@pytest.mark.parametrize("name", ["unknown", "../x"])
def test_what_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError):
        locate(name)
