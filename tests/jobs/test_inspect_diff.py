import json
import shutil
from itertools import count
from pathlib import Path

import pytest
from inspection_fixtures import line

from spiritlm_cli.errors import AudioError, ManifestError, TokenError
from spiritlm_cli.jobs.inspect_diff import InspectDiffOptions, pairs, run
from spiritlm_cli.jobs.lines import InputLine
from spiritlm_cli.jobs.tokenize import TokenizeOptions
from spiritlm_cli.jobs.tokenize import run as tokenize
from spiritlm_cli.tokens.reader import parse_line


def inputs(*ids):
    return ((InputLine("x", n, n, name, parse_line("")), line("", name)) for n, name in enumerate(ids, 1))


def paired(a, b):
    return [tuple(one and one[0].name for one in pair) for pair in pairs(inputs(*a), inputs(*b))]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("ab", "ab", [("a", "a"), ("b", "b")]),
        ("ab", "ba", [("b", "b"), ("a", "a")]),
        ("abc", "cab", [("a", "a"), ("c", "c"), ("b", "b")]),
        ("abc", "ac", [("a", "a"), ("c", "c"), ("b", None)]),
        ("ac", "abe", [("a", "a"), ("c", None), (None, "b"), (None, "e")]),
        ("aab", "abb", [("a", "a"), ("b", "b"), ("a", None), (None, "b")]),
        # one of each
        ("a", "b", [("a", "b")]),
        ("a", "", [("a", None)]),
        ("", "", []),
    ],
)
def test_pairs_by_id(a, b, expected):
    assert paired(a, b) == expected


def test_pairs_by_order():
    assert paired((None, None, None), (None, None)) == [("1", "1"), ("2", "2"), ("3", None)]
    assert paired("ab", (None, None)) == [("a", "1"), ("b", "2")]


def test_pairs_reads_no_further_than_it_must():
    read = []

    def side():
        for n in count(1):
            read.append(n)
            yield from inputs(f"{n}")

    found = pairs(side(), side())
    for _ in range(5):
        next(found)
    assert max(read) == 5


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def compare(*files: str, small, **options):
    return run(InspectDiffOptions(inputs=files, **small, **options))


def test_run_of_token_files(write, small, capsys, tmp_path):
    a = write("a", "one\t[SPEECH][Hu5][Hu7][Hu9]\ntwo\t[TEXT]the cat\nthree\t[SPEECH][Hu1]\n\n")
    b = write("b", "two\t[TEXT]the cat\none\t[SPEECH][Hu5][Hu8][Hu9]\nfour\t[SPEECH][Hu1]\n\n")
    items = tmp_path / "items.jsonl"
    comparison = compare(a, b, small=small, items=items)
    assert (comparison.totals.equal, comparison.inputs, comparison.totals.different) == (False, 5, 1)
    text = capsys.readouterr().out
    assert "    A Hu5 Hu7 Hu9\n    B Hu5 Hu8 Hu9\n          ^^^\n" in text
    assert "three: only in A\nfour: only in B\n" in text
    rows = [json.loads(row) for row in items.read_text().splitlines()]
    assert [(row["a"], row["equal"]) for row in rows] == [("two", True), ("one", False), ("4", True)]
    assert rows[1]["streams"]["phonetic"]["substitutions"] == 1


def test_run_of_equal_files(write, small, capsys):
    a = write("a", "[SPEECH][Hu5][Hu7]\n[TEXT]the cat\n\n")
    assert compare(a, a, small=small).totals.equal
    assert capsys.readouterr().out == ""


def test_run_brief_prints_no_differences(write, small, capsys):
    a, b = write("a", "[SPEECH][Hu5]\n"), write("b", "[SPEECH][Hu5][Hu6]\n")
    assert not compare(a, b, small=small, brief=True).totals.equal
    assert capsys.readouterr().out == ""
    assert not compare(a, b, small=small, as_json=True).totals.equal
    assert capsys.readouterr().out == ""


def test_run_of_a_clip_and_its_tokens(write, small, short):
    """The tokens of a clip equal those of its token line, with and without repeats."""
    lines = Path(write("lines", ""))
    for keep in (False, True):
        tokenize(TokenizeOptions(audio=(str(short),), keep_repeats=keep, output=lines, units="base", **small))
        assert compare(str(short), str(lines), small={**small, "units": "base"}).totals.equal


def test_run_under_two_settings(short, small, capsys):
    options = {**small, "units": "base"}
    comparison = compare(str(short), small=options, against="nano", brief=True)
    phonetic = comparison.totals.counts["phonetic"]
    assert phonetic.error_rate > 0
    assert phonetic.frames == 12
    assert compare(str(short), small=options, against_device="auto", brief=True).totals.equal


def test_run_refuses_what_cannot_be_used(write, small):
    good, bad = write("a", "[SPEECH][Hu5]\n"), write("b", "[Hu]\n")
    with pytest.raises(TokenError, match=r"b: line 1, column 1: '\[Hu\]' is not a unit"):
        compare(good, bad, small=small)
    with pytest.raises(TokenError, match="b: line 1: "):
        compare(good, write("b", "[SPEECH][Hu7000]\n"), small=small)
    with pytest.raises(AudioError, match=r"c\.wav"):
        compare(write("c.wav", "no audio"), good, small=small)


def test_run_refuses_what_one_side_alone_has_and_cannot_be_used(write, small, short, tmp_path):
    (tmp_path / "empty").mkdir()
    folder = tmp_path / "corpus"
    folder.mkdir()
    shutil.copy(short, folder / "a.wav")
    for files in ((tmp_path / "empty", folder), (folder, tmp_path / "empty")):
        with pytest.raises(ManifestError, match=r"empty: no sound files in this folder \("):
            compare(*map(str, files), small=small)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "bad.wav").write_text("no audio")
    for files in ((folder, other), (other, folder)):
        with pytest.raises(AudioError, match=r"bad\.wav: not audio"):
            compare(*map(str, files), small=small)
    with pytest.raises(TokenError, match="longer: line 2, column 1: "):
        compare(write("shorter", "[SPEECH][Hu5]\n"), write("longer", "[SPEECH][Hu5]\n[Hu]\n"), small=small)


def test_run_writes_a_page_of_what_differs(write, small, tmp_path):
    a = write("a", "x\t[SPEECH][Pi1][Hu5][Hu7]\nsame\t[SPEECH][Pi1][Hu5]\n")
    b = write("b", "x\t[SPEECH][Pi1][Hu5][Hu8]\nsame\t[SPEECH][Pi1][Hu5]\n")
    compare(a, b, small=small, html=tmp_path / "diff.html")
    page = (tmp_path / "diff.html").read_text()
    assert '"id":"x (A)"' in page
    assert '"id":"x (B)"' in page
    assert "same (" not in page
