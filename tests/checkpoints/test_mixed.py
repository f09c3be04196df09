"""Parts of several checkpoints, and units that a part does not have."""

import shutil
from pathlib import Path

import pytest

from spiritlm_cli.checkpoints import Checkpoint, combine_parts, find_checkpoint
from spiritlm_cli.checkpoints.open_layouts import TwistCheckpoint
from spiritlm_cli.errors import CheckpointError


def test_mixed_checkpoint_has_the_files_of_its_parts(release_tree: Path, tmp_path: Path) -> None:
    release = Checkpoint(release_tree, "release")
    other = tmp_path / "other"
    shutil.copytree(release_tree, other)
    mixed = combine_parts(str(release_tree), tokenizer=str(other), vocoder=str(other))
    mine = Checkpoint(other, "other")
    for part in ("hubert", "quantizer", "pitch", "pitch_config", "style", "tokenizer_files"):
        assert getattr(mixed, part) == getattr(mine, part)
    assert mixed.vocoder_config(True) == mine.vocoder_config(True)
    assert mixed.generator(False) == mine.generator(False)
    assert mixed.description == f"other with the language model of {release_tree.name}"
    mixed.check()
    # The tokenizers are equal, so that the language model can be the other's.
    assert mixed.language_model(True) == release.language_model(True)
    assert mixed.fingerprint() == release.fingerprint()
    assert mixed.is_expressive


def test_mixed_checkpoint_refuses_parts_for_other_units(
    release_tree: Path, twist_folder: Path, tmp_path: Path
) -> None:
    mixed = combine_parts(str(release_tree), tokenizer=str(twist_folder))
    theirs, ours = find_checkpoint(str(release_tree)).fingerprint(), mixed.fingerprint()
    assert ours == find_checkpoint(str(twist_folder)).fingerprint() != theirs
    assert not mixed.is_expressive
    name = release_tree.name
    message = rf"of {name} takes the units of {name} \({theirs}\), not those of twist \({ours}\)"
    assert mixed.description == f"twist with the language model of {name} and the vocoder of {name}"
    with pytest.raises(CheckpointError, match=f"the language model {message}"):
        mixed.check()
    with pytest.raises(CheckpointError, match=f"the vocoder {message}"):
        mixed.generator(False)
    with pytest.raises(CheckpointError, match=f"the vocoder {message}"):
        mixed.vocoder_config(False)
    with pytest.raises(CheckpointError, match=f"the language model {message}"):
        mixed.language_model(False)
    # A part without a tokenizer of its own does not say which units it is for.
    for name in (TwistCheckpoint.GENERATOR, TwistCheckpoint.VOCODER_CONFIG):
        shutil.copy(twist_folder / name, tmp_path)
    mixed = combine_parts("nano", vocoder=str(tmp_path))
    mixed.check()
    assert mixed.generator(False).parent == tmp_path
    assert combine_parts("nano", text_tokenizer=str(tmp_path)).description == "nano"


def test_mixed_checkpoint_says_that_a_model_has_no_language_model(
    release_tree: Path, twist_folder: Path
) -> None:
    mixed = combine_parts(str(release_tree), lm=str(twist_folder))
    with pytest.raises(CheckpointError, match="twist has a tokenizer and a vocoder, and no language model"):
        mixed.language_model(False)


def test_mixed_checkpoint_sees_that_a_tokenizer_changed(tree: Path, release_tree: Path) -> None:
    mixed = combine_parts(str(release_tree), vocoder=str(tree))
    assert mixed.generator(True).is_relative_to(tree)
    with Checkpoint(tree, "").quantizer.open("ab") as file:
        file.write(b"more")
    with pytest.raises(CheckpointError, match="takes the units of"):
        mixed.generator(True)
