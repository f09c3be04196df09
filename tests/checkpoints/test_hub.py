"""Checkpoints from Hugging Face repositories, with the hub's client offline."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.checkpoints.hub import pull
from spiritlm_cli.errors import CheckpointError


def test_pull_without_network_or_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for find in (pull, find_checkpoint):
        with pytest.raises(
            CheckpointError, match=r"^a/b: no such folder, and not to be had from Hugging Face \("
        ):
            find("a/b")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with two commits of a repository a/b; the main branch is the second, the tag v1 the first."""
    repository = tmp_path / "models--a--b"
    for commit, ref in (("1" * 40, "v1"), ("2" * 40, "main")):
        (repository / "snapshots" / commit / "speech_tokenizer").mkdir(parents=True)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / ref).write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return repository


@pytest.mark.parametrize(
    ("model", "commit"), [("a/b", "2"), ("a/b@main", "2"), ("a/b@v1", "1"), ("a/b@" + "1" * 40, "1")]
)
def test_find_checkpoint_takes_the_revision_that_is_named(cache: Path, model: str, commit: str) -> None:
    checkpoint = find_checkpoint(model)
    assert checkpoint.root == cache / "snapshots" / (commit * 40)
    assert checkpoint.name == "b"


@pytest.mark.parametrize("model", ["a/b@v3", "a/b@" + "3" * 40])
def test_find_checkpoint_names_a_revision_that_is_not_there(cache: Path, model: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^{model}: no such folder, and not to be had"):
        find_checkpoint(model)
