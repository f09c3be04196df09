import gzip
import io
import os
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli import text_files
from spiritlm_cli.errors import AudioError, ManifestError
from spiritlm_cli.text_files import bounded_lines, is_too_long, numbered_lines, read_errors


class Dribble(io.RawIOBase):
    """A stream that gives its bytes in pieces of random length, as a pipe does."""

    def __init__(self, content: bytes) -> None:
        self._stream, self._chance = io.BytesIO(content), random.Random(content)

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(self._chance.randint(1, 3))


pieces = st.lists(st.sampled_from([b"a", b"bc", b"\r", b"\n", b"\r\n", b"\xe2\x80\xa8"])).map(b"".join)


@given(pieces)
def test_bounded_lines_are_those_of_the_whole_content(content: bytes) -> None:
    assert list(bounded_lines(Dribble(content))) == io.BytesIO(content).readlines()
    assert list(bounded_lines(Dribble(content), cr=True)) == content.splitlines(keepends=True)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_bounded_lines_cuts_off_a_long_line(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    monkeypatch.setattr(text_files, "MAX_LINE", 5)
    content = end.join([b"abc", b"d" * 300_000, b"efg"])
    lines = list(bounded_lines(io.BytesIO(content), cr=True))
    assert lines == [b"abc" + end, b"dddddd", b"efg"]
    assert [is_too_long(line) for line in lines] == [False, True, False]


def test_a_long_line_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(text_files, "MAX_LINE", 1000)
    path = tmp_path / "lines.gz"
    path.write_bytes(gzip.compress(b"a\n" + b"b" * 5_000_000 + b"\nc"))
    tracemalloc.start()
    try:
        lines = list(numbered_lines(path))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert [line for _, line in lines if isinstance(line, str)] == ["a", "c"]


def test_numbered_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\n\n\xff\nb")
    assert [(number, str(line)) for number, line in numbered_lines(path)] == [
        (1, "a"), (2, ""), (3, f"{path}: line 3: not UTF-8 text"), (4, "b"),
    ]  # fmt: skip


def test_numbered_lines_of_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none: no such file"):
        list(numbered_lines(tmp_path / "none"))
    with pytest.raises(ManifestError, match="can't be read"):
        list(numbered_lines(tmp_path))
    (tmp_path / "a.gz").write_bytes(gzip.compress(os.urandom(100))[:-9])
    with pytest.raises(ManifestError, match=r"a\.gz: gzip data is cut off or damaged"):
        list(numbered_lines(tmp_path / "a.gz"))


def test_read_errors_raises_the_given_type() -> None:
    with pytest.raises(AudioError, match=r"^x: no such file$"), read_errors("x", AudioError):
        Path("/nowhere").read_bytes()


def test_a_gzipped_file_of_endless_lines_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "MIN_INFLATED", 0)
    path = tmp_path / "m.tsv.gz"
    path.write_bytes(gzip.compress(b"\n" * 200_000))
    with pytest.raises(ManifestError, match=r"m\.tsv\.gz: is more than 100 times as large when decompressed"):
        list(numbered_lines(path))
    monkeypatch.undo()
    assert len(list(numbered_lines(path))) == 200_000
