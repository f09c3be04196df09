from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.abx_items import AbxToken, frame_slice, read_abx_items

HEADER = "#file onset offset #phone prev-phone next-phone speaker\n"


def test_read_abx_items(tmp_path: Path) -> None:
    path = tmp_path / "dev.item"
    path.write_text(HEADER + "6295-244435-0009 0.2925 0.4725 IH L NG 6295\n\nb 1 2 AA B C s\n")
    first, second = read_abx_items(path)
    assert first == AbxToken("6295-244435-0009", 0.2925, 0.4725, "IH", ("L", "NG"), "6295")
    assert second.speaker == "s"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a 0 1 P B C", "line 2: has 6 columns"),
        ("a x 1 P B C s", "line 2: onset and offset are seconds"),
        ("a 2 1 P B C s", "line 2: not an interval"),
        ("a nan 1 P B C s", "line 2: not an interval"),
        ("a 0 inf P B C s", "line 2: not an interval"),
        ("../a 0 1 P B C s", "line 2: the file '../a' leads out"),
        ("/etc/a 0 1 P B C s", "leads out"),
        ("", "no items"),
    ],
)
def test_read_abx_items_names_the_line_of_a_fault(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "dev.item"
    path.write_text(HEADER + line + "\n")
    with pytest.raises(ManifestError, match=message):
        read_abx_items(path)


def test_read_abx_items_refuses_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "dev.item").touch()
    with pytest.raises(ManifestError, match="empty"):
        read_abx_items(tmp_path / "dev.item")


def test_read_abx_items_loses_no_first_item(tmp_path: Path) -> None:
    path = tmp_path / "dev.item"
    path.write_text("a 0 1 P B C s\na 1 2 P B C s\n")
    with pytest.raises(ManifestError, match="line 1: is an item; an item file begins with the line #file"):
        read_abx_items(path)


def test_frame_slice_of_both_rules() -> None:
    """At 25 Hz: frames 7 to 10 of libri-light, 7 to 11 of fastabx."""
    assert list(range(99)[frame_slice(0.2925, 0.4725, 25, 99)]) == [7, 8, 9, 10]
    assert list(range(99)[frame_slice(0.2925, 0.4725, 25, 99, "fastabx")]) == [7, 8, 9, 10, 11]


def test_frame_slice_ends_with_the_file() -> None:
    assert frame_slice(0, 1, 25, 10) == slice(0, 10)
    empty = frame_slice(5, 6, 25, 10)
    assert list(range(10)[empty]) == []
    assert list(range(10)[frame_slice(0.1, 0.1, 25, 10)]) == []
