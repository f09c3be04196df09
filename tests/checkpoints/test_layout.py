"""Checkpoints by their name or folder."""

import hashlib
import os
from pathlib import Path

import pytest

from spiritlm_cli.checkpoints import combine_parts, find_checkpoint
from spiritlm_cli.checkpoints.layout import known_model
from spiritlm_cli.checkpoints.mixed import MixedCheckpoint
from spiritlm_cli.checkpoints.open_layouts import LanguageModelFolder, TwistCheckpoint
from spiritlm_cli.checkpoints.registry import known_models
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError


def test_find_checkpoint_names_it_after_its_folder(
    release_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(release_tree)
    assert find_checkpoint(".").name == release_tree.name
    monkeypatch.setenv("SPIRITLM_CHECKPOINTS_DIR", str(release_tree))
    assert find_checkpoint().root == release_tree


@pytest.mark.parametrize("model", ["no-such-folder", "a/b/c", ""])
def test_find_checkpoint_refuses_missing_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIRITLM_CHECKPOINTS_DIR", "nowhere")
    with pytest.raises(CheckpointError, match="no such folder"):
        find_checkpoint(model)


def test_find_checkpoint_refuses_other_folders(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a checkpoint folder"):
        find_checkpoint(str(tmp_path))


def test_find_checkpoint_knows_twist_by_its_files(twist_folder: Path) -> None:
    checkpoint = find_checkpoint(str(twist_folder))
    assert isinstance(checkpoint, TwistCheckpoint)
    assert (checkpoint.name, checkpoint.is_expressive) == ("twist", False)
    assert find_checkpoint(checkpoint) is checkpoint
    files = (checkpoint.hubert, checkpoint.quantizer)
    assert [file.name for file in files] == ["model.safetensors", TwistCheckpoint.QUANTIZER]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    assert checkpoint.fingerprint() == digest[:12]


def test_find_checkpoint_finds_installed_models(
    twist_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIRITLM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        CheckpointError, match="not on this machine; download it with `spiritlm models pull twist`"
    ):
        find_checkpoint("twist")
    with pytest.raises(CheckpointError, match="spirit-lm: not on this machine; ask Meta for its weights"):
        find_checkpoint("spirit-lm")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "twist").symlink_to(twist_folder)
    checkpoint = find_checkpoint("twist")
    assert isinstance(checkpoint, TwistCheckpoint)
    assert (checkpoint.name, checkpoint.root) == ("twist", tmp_path / "models" / "twist")


def test_find_checkpoint_takes_the_folder_of_a_language_model(release_tree: Path) -> None:
    folder = release_tree / "spiritlm_model" / "spirit-lm-base-7b"
    checkpoint = find_checkpoint(str(folder))
    assert isinstance(checkpoint, LanguageModelFolder)
    assert (checkpoint.name, checkpoint.language_model(False)) == ("spirit-lm-base-7b", folder)


def test_find_checkpoint_says_that_a_text_tokenizer_is_no_language_model(
    open_language_models: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: missing, so .* is for --text-tokenizer"):
        find_checkpoint(str(open_language_models / "text-qwen"))
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match=r"config\.json: is a pipe or a device"):
        read_json(find_checkpoint(str(tmp_path)).language_model(False) / "config.json")


def test_known_model_is_one_in_its_own_folder(
    twist_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIRITLM_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "twist").symlink_to(twist_folder)
    assert known_model(find_checkpoint("twist")) == known_models()["twist"]
    assert known_model(find_checkpoint("nano")) == known_models()["nano"]
    (tmp_path / "nano").symlink_to(twist_folder)
    monkeypatch.chdir(twist_folder.parent)  # its folder twist/ is found first
    for other in ("twist", str(twist_folder), str(tmp_path / "nano")):
        assert known_model(find_checkpoint(other)) is None


def test_combine_parts_without_parts_is_find_checkpoint(release_tree: Path) -> None:
    assert combine_parts(str(release_tree)) == find_checkpoint(str(release_tree))
    assert not isinstance(combine_parts("nano"), MixedCheckpoint)


def test_combine_parts_takes_a_text_tokenizer(tmp_path: Path, twist_folder: Path) -> None:
    for parts in ({}, {"tokenizer": str(twist_folder)}):
        checkpoint = combine_parts("nano", **parts, text_tokenizer=str(tmp_path))
        assert checkpoint.text_tokenizer == tmp_path
        assert checkpoint.root == find_checkpoint("nano").root
    assert find_checkpoint("nano").text_tokenizer is None


def test_combine_parts_takes_each_part_from_its_model(release_tree: Path, twist_folder: Path) -> None:
    lm = release_tree / "spiritlm_model" / "spirit-lm-base-7b"
    mixed = combine_parts(str(release_tree), tokenizer=str(twist_folder), lm=str(lm))
    assert isinstance(mixed, MixedCheckpoint)
    assert (mixed.root, mixed.identity, mixed.name) == (release_tree, str(release_tree), "twist")
    assert mixed.hubert.is_relative_to(twist_folder)
    assert mixed.language_model(False) == lm
    with pytest.raises(CheckpointError, match="no-such-model: no such folder"):
        combine_parts("nano", vocoder="no-such-model")


def test_a_folder_of_hubert_is_no_model(twist_folder: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"is HuBERT alone; the model is .*: {twist_folder}$"):
        find_checkpoint(str(twist_folder / "mhubert-base-25hz"))
