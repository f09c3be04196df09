from pathlib import Path

import pytest

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.errors import CheckpointError


def test_safetensors_take_the_place_of_pickles(tmp_path: Path) -> None:
    folder = tmp_path / "speech_tokenizer" / "hubert_25hz"
    folder.mkdir(parents=True)
    for suffix in (".pt", ".safetensors"):
        for name in ("mhubert_base_25hz", "L11_quantizer_500"):
            (folder / f"{name}{suffix}").touch()
        checkpoint = find_checkpoint(str(tmp_path))
        assert {checkpoint.hubert.suffix, checkpoint.quantizer.suffix} == {suffix}


def test_which_of_two_quantizers_is_not_guessed(tmp_path: Path) -> None:
    folder = tmp_path / "speech_tokenizer" / "hubert_25hz"
    folder.mkdir(parents=True)
    for name in ("L6_quantizer_500.pt", "L11_quantizer_500.pt"):
        (folder / name).touch()
    with pytest.raises(CheckpointError, match="several quantizers: L11_quantizer_500, L6_quantizer_500"):
        find_checkpoint(str(tmp_path)).quantizer  # noqa: B018


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "mine")
    for part, name in (
        ("hubert", r"mhubert_base_25hz\.pt"),
        ("quantizer", r"L11_quantizer_500\.pt"),
        ("pitch", r"model\.pt"),
        ("pitch_config", r"config\.yaml"),
        ("style", r"pytorch_model\.bin: missing \(or model\.safetensors\)"),
    ):
        with pytest.raises(CheckpointError, match=name):
            getattr(checkpoint, part)
    with pytest.raises(CheckpointError, match="mine has no vocoder for base units"):
        checkpoint.generator(expressive=False)
    with pytest.raises(CheckpointError, match="mine has no language model for expressive units"):
        checkpoint.language_model(expressive=True)


def test_a_checkpoint_is_called_by_its_folder(release_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(release_tree)
    assert find_checkpoint(".").name == release_tree.name
    monkeypatch.setenv("SPIRITLM_CHECKPOINTS_DIR", str(release_tree))
    assert find_checkpoint().root == release_tree


@pytest.mark.parametrize("model", ["no-such-folder", "a/b/c", ""])
def test_no_such_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIRITLM_CHECKPOINTS_DIR", "nowhere")
    with pytest.raises(CheckpointError, match="no such folder"):
        find_checkpoint(model)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a checkpoint folder"):
        find_checkpoint(str(tmp_path))
