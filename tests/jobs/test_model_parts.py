"""Which parts a model has."""

from pathlib import Path

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.jobs.model_parts import ModelParts


def parts_of(model: str | Path) -> ModelParts:
    return ModelParts(find_checkpoint(str(model)))


def test_nano() -> None:
    parts = parts_of("nano")
    assert parts.has_tokenizer
    assert parts.pitch
    assert parts.style
    assert parts.generator(True)
    assert parts.generator(False) is None
    assert list(parts.language_models()) == ["language model, expressive"]


def test_release(release_tree: Path) -> None:
    parts = parts_of(release_tree)
    assert parts.generator(False)
    assert list(parts.language_models()) == ["language model, base", "language model, expressive"]


def test_the_folder_of_a_language_model(release_tree: Path) -> None:
    folder = release_tree / "spiritlm_model" / "spirit-lm-base-7b"
    parts = parts_of(folder)
    assert not parts.has_tokenizer
    assert parts.generator(True) is None
    assert parts.language_models() == {"language model": folder}
