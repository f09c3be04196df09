from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.style_labels import read_style_labels


def test_read_style_labels(tmp_path: Path) -> None:
    path = tmp_path / "styles.tsv"
    path.write_text("style\tid\tother\nhappy\ta\tx\nsad \tb\t\n")
    assert read_style_labels(path) == {"a": "happy", "b": "sad"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\temotion\na\thappy\n", "line 1: no column style"),
        ("id\tstyle\na\n", "line 2: 1 columns"),
        ("id\tstyle\na\t \n", "line 2: no style"),
        ("id\tstyle\na\tx\na\ty\n", "line 3: duplicate id 'a'"),
        ("", "empty"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "styles.tsv").write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_style_labels(tmp_path / "styles.tsv")
