from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.hypotheses import find_text, read_texts, speech_finder, warn_unknown_ids


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.jsonl",
            '{"evaluation": 1}\n{"id": "a", "text": "x, y"}\n\n'
            '{"id": "c", "error": "e"}\n{"id": "b", "text": ""}\n',
        ),
        ("a.tsv", "text\tid\nx, y\ta\n\tb\n"),
        ("a.csv", 'id,text\na,"x, y"\nb,\n'),
        ("a.txt", "#spiritlm 1\na\t[TEXT]x, y\nb\t[TEXT]\n"),
    ],
)  # fmt: skip
def test_read_texts(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert read_texts(path) == {"a": "x, y", "b": ""}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("id\twords\na\tb\n", "line 1: no columns id and text, only: id, words"),
        ("id,text\na,b\na,c\n", "line 3: duplicate id 'a'"),
        ('{"id": 5, "text": "x"}\n', "line 1: not {"),
        ('{"id": "5", "text": "x"}\n[]\n', "line 2: not {"),
        ("a\t[TEXT]x\n[TEXT]y\n", "line 2: has no id"),
        ("a\t[TEXT]x\nb\t[SPEECH][Hu-1]\n", "line 2: column 11: '[Hu-1]' is not a unit"),
    ],
)
def test_read_texts_names_what_is_wrong(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(ManifestError) as error:
        read_texts(path)
    assert f"{path}: {message}" in str(error.value)


def test_find_text_and_unknown_ids(caplog: pytest.LogCaptureFixture) -> None:
    texts = {"a": "x", "b": "y"}
    assert find_text(texts, Path("f"), "a") == "x"
    with pytest.raises(ManifestError, match="f: has no output for 'c'"):
        find_text(texts, Path("f"), "c")
    warn_unknown_ids(texts, ["a", "b", "c"], Path("f"))
    assert caplog.messages == []
    warn_unknown_ids(texts, ["a"], Path("f"))
    assert caplog.messages == ["f: 1 ids are of no item, and not used: 'b'"]


def test_speech_finder(tmp_path: Path) -> None:
    (tmp_path / "a%2Fb.wav").touch()
    find = speech_finder(tmp_path)
    assert find("a/b").source == tmp_path / "a%2Fb.wav"
    with pytest.raises(ManifestError, match="no file of the name 'c'"):
        find("c")
    manifest = tmp_path / "speech.tsv"
    manifest.write_text("id\taudio\nx\ty.wav\n")
    find = speech_finder(manifest)
    assert find("x").source == tmp_path / "y.wav"
    with pytest.raises(ManifestError, match=r"speech.tsv: has no output for 'y'"):
        find("y")
