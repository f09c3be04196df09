import json
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.blimp import blimp_files, read_blimp
from spiritlm_cli.evaluation.pairs import BadPair, Group, Pair
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

ROW = {
    "sentence_good": "Who should Derek hug after shocking Richard?",
    "sentence_bad": "Who should Derek hug Richard after shocking?",
    "field": "syntax",
    "linguistics_term": "island_effects",
    "UID": "adjunct_island",
    "pairID": "0",
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_what_is_blimp_of_a_path(tmp_path: Path) -> None:
    second, first = write(tmp_path / "b.jsonl", ROW), write(tmp_path / "a.jsonl", ROW)
    write(tmp_path / "README", "not this")
    assert blimp_files(tmp_path) == [first, second]
    assert blimp_files(second) == [second]
    assert blimp_files(tmp_path / "README") == []
    assert len(list(read_blimp(tmp_path))) == 2
    with pytest.raises(ManifestError, match=r"no\.jsonl: no such file"):
        list(read_blimp(tmp_path / "no.jsonl"))


def test_a_pair(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ROW, "", ROW)
    first, second = read_blimp(path)
    assert isinstance(first, Pair)
    assert isinstance(second, Pair)
    assert first.id == "adjunct_island/0"
    assert first.good[0].content == Sequence.of([TextSpan(ROW["sentence_good"])])
    assert first.bad[0].name == ROW["sentence_bad"]
    assert first.groups == (Group("linguistics_term", "island_effects"), Group("UID", "adjunct_island"))
    # of one id, yet two pairs
    assert (first.source, second.source) == (f"{path}: line 1", f"{path}: line 3")
    assert second.id == "a/3"


def test_lines_that_are_none(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"sentence_good": "It is."},
        "{",
        {**ROW, "sentence_bad": " "},
        {**ROW, "UID": 3},
        {**ROW, "UID": "\ud800", "pairID": "1"},
        {"sentence_good": "He is.", "sentence_bad": "He are."},
    )
    *bad, good = read_blimp(path)
    assert isinstance(good, Pair)
    assert (good.id, good.groups) == ("a/6", ())
    wanted = [
        "sentence_bad is not text",
        "not JSON",
        "sentence_bad is not text",
        "UID is not text",
        "UID is not text",
    ]
    for number, (entry, text) in enumerate(zip(bad, wanted, strict=True), 1):
        assert isinstance(entry, BadPair)
        assert str(entry.error).startswith(f"{path}: line {number}: {text}")
