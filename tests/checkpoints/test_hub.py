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
