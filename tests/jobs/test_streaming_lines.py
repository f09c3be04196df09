import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.jobs import streaming_lines
from spiritlm_cli.jobs.streaming_lines import StreamingInput, read_streaming


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The writing end of what stands for standard input."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as stream:
        monkeypatch.setattr(streaming_lines, "standard_input", lambda: stream)
        yield writer


def test_a_line_on_stdin_is_given_before_it_ends(pipe: int, release_tree: Path) -> None:
    lines = read_streaming(["-"], Checkpoint(release_tree, "tiny"))
    os.write(pipe, b"a\t[SPEECH][Hu1]")
    line = next(lines)
    assert isinstance(line, StreamingInput)
    assert (line.id, line.index, line.line_number) == ("a", 1, 1)
    os.write(pipe, b"[Hu2]\nb\t[TEXT]x\n")
    os.close(pipe)
    assert [unit.id for unit in line.sequence.speech[0].units] == [1, 2]
    second = next(lines)
    assert (second.id, second.index, second.sequence.text) == ("b", 2, "x")


def test_files_are_read_as_read_input_does(tmp_path: Path, release_tree: Path) -> None:
    (tmp_path / "x.txt").write_text("[Hu1]\n[Hu2]\n")
    paths = [str(tmp_path / "x.txt")] * 2
    lines = list(read_streaming(paths, Checkpoint(release_tree, "tiny")))
    assert [(line.index, line.line_number) for line in lines] == [(1, 1), (2, 2), (3, 1), (4, 2)]


def test_an_empty_stdin_is_said(pipe: int, release_tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.close(pipe)
    assert list(read_streaming(["-"], Checkpoint(release_tree, "tiny"))) == []
    assert "stdin: no token lines" in caplog.text
