from pathlib import Path

import pytest

from spiritlm_cli.alignment.pocketsphinx import Phone
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.training.phones import load_phones, read_phones, write_phones


def test_write_phones_is_read_back(tmp_path: Path) -> None:
    phones = {"a": (Phone("SIL", 0.0, 0.12), Phone("K", 0.12, 0.2)), "b": ()}
    write_phones(tmp_path / "new" / "phones.jsonl", phones)
    assert read_phones(tmp_path / "new" / "phones.jsonl") == phones


def test_load_phones_aligns_if_the_file_is_missing(recording_file: Path, tmp_path: Path) -> None:
    manifest, path = tmp_path / "clips.tsv", tmp_path / "phones.jsonl"
    text = "this is not what was said in the recording at all and it goes on and on about another thing"
    manifest.write_text(f"id\taudio\ttext\nfirst\t{recording_file}\t\nsecond\t{recording_file}\t{text}\n")
    # the first has no text, the text of the second can't be aligned
    assert load_phones(path, manifest) == {}
    write_phones(path, {"first": ()})
    assert load_phones(path, manifest) == {"first": ()}


def test_read_phones_names_an_invalid_line(tmp_path: Path) -> None:
    path = tmp_path / "phones.jsonl"
    path.write_text('{"id": "a", "phones": []}\n{"id": "b"}\n')
    with pytest.raises(ManifestError, match=r"phones\.jsonl: line 2: not a line of phones"):
        read_phones(path)


@pytest.mark.parametrize(
    "phones",
    [
        "[1]",
        '[["AH", 0.5]]',
        '[["AH", "0", 1]]',
        '[["AH", 0.5, 0.25]]',
        '[["AH", NaN, 1]]',
        '[["AH", 0, 1e999]]',
        "5",
    ],
)
def test_read_phones_refuses_invalid_phones(tmp_path: Path, phones: str) -> None:
    path = tmp_path / "phones.jsonl"
    path.write_text(f'{{"id": "a", "phones": {phones}}}\n')
    with pytest.raises(ManifestError, match=r"phones\.jsonl: line 1: not a line of phones"):
        read_phones(path)
