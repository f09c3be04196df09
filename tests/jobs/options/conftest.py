"""A file of token lines."""

from pathlib import Path

import pytest


@pytest.fixture
def lines(tmp_path: Path) -> str:
    """A file of one token line."""
    path = tmp_path / "lines.txt"
    path.write_text("[SPEECH][Hu1]\n")
    return str(path)
