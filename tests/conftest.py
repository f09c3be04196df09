"""What tests in every room share."""

from pathlib import Path

import pytest
from release_tree import write_release_tree

import spiritlm_cli

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of token cases and of what the published implementation answers."""
    return DATA


@pytest.fixture(scope="session")
def recording_file() -> Path:
    """Nine seconds of LibriSpeech: the recording in the package."""
    return Path(spiritlm_cli.__file__).parent / "assets" / "7143-88743-0029.flac"


@pytest.fixture(scope="session")
def release_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for the release's checkpoints, tiny, with random weights. Not to be written to."""
    root = tmp_path_factory.mktemp("release")
    write_release_tree(root)
    return root
