import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spiritlm_cli.console import (
    ProgressBar,
    byte_count,
    counted,
    data_console,
    escape_markup,
    in_pipe,
    log,
    notify,
    one_line,
    set_quiet,
    set_up,
    shows_progress,
    track,
)

HOSTILE = "a\x1b]0;x\x07[red]\n\u202eb"


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    """Restores the level of the package's logger."""
    before = log.level
    set_up()
    yield
    log.setLevel(before)


@pytest.fixture
def _piped(terminal: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pipe as stdout."""
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "__stdout__", stdout)
        yield


def test_one_line_removes_line_ends_and_control_characters() -> None:
    assert one_line("a\n b\x1b[31m") == "a b?[31m"


def test_escape_markup_leaves_brackets_as_text() -> None:
    assert escape_markup(HOSTILE) == r"a?]0;x?\[red] ?b"


@pytest.mark.parametrize("write", [notify, log.warning], ids=["notify", "log"])
def test_messages_are_one_line_that_controls_no_terminal(write: object, terminal: Callable[[], str]) -> None:
    write(HOSTILE)  # type: ignore[operator]
    assert terminal() == "spiritlm: a?]0;x?[red] ?b\n"
    log.setLevel(logging.CRITICAL)
    write(HOSTILE)  # type: ignore[operator]
    assert not terminal()


@pytest.mark.usefixtures("_piped")
def test_a_message_in_a_pipe_replaces_the_bar_of_another_command(terminal: Callable[[], str]) -> None:
    notify("one")
    assert terminal() == "\r\x1b[Kspiritlm: one\n"


@pytest.mark.usefixtures("_piped")
def test_only_the_last_command_of_a_pipe_shows_progress(terminal: Callable[[], str]) -> None:
    assert in_pipe()
    assert not shows_progress()
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    assert not terminal()


def test_stdout_in_a_file_shows_progress(
    terminal: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("w") as stdout:
        monkeypatch.setattr(sys, "__stdout__", stdout)
        assert not in_pipe()
        assert shows_progress()


def test_a_closed_stdout_is_no_pipe(terminal: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdout__", None)
    assert not in_pipe()
    with ProgressBar("letters", to_stdout=True) as bar:
        assert bar.visible


def test_track_shows_a_bar_and_removes_it(terminal: Callable[[], str]) -> None:
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    written = terminal()
    assert "letters" in written
    assert "3/3" in written
    assert written.rpartition("3/3")[2].endswith("\x1b[2K")  # the line is erased


@pytest.mark.parametrize("reason", ["quiet", "no terminal", "dumb terminal"])
def test_there_is_no_bar_without_a_terminal_or_if_quiet(
    terminal: Callable[[], str], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "quiet":
        set_quiet()
    elif reason == "dumb terminal":
        monkeypatch.setenv("TERM", "dumb")
    else:
        monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: False)
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    assert not terminal()


def test_there_is_no_bar_where_lines_of_data_are_shown(
    terminal: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "__stdout__", sys.stderr)
    assert not ProgressBar("letters", to_stdout=True).visible
    assert ProgressBar("letters").visible


@pytest.mark.parametrize("columns", [60, 120])
def test_a_note_is_cut_to_the_terminal(
    terminal: Callable[[], str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with ProgressBar("letters", 1200) as bar:
        bar.update(1, "loss 0.1234, " * 20)
    *_, last = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "\r", terminal()).replace("\n", "\r").split("\r1/1200") or [
        ""
    ]
    assert "loss 0.1234" in last
    assert last.rstrip("\r").rstrip().endswith("…")


def test_messages_are_written_above_the_bar(terminal: Callable[[], str]) -> None:
    for _ in track("ab", "letters", 2):
        logging.getLogger("spiritlm_cli").warning("a message")
    assert terminal().count("spiritlm: a message") == 2


def test_descriptions_are_no_markup(terminal: Callable[[], str]) -> None:
    list(track("ab", "[red]letters", 2))
    assert "[red]letters" in terminal()


class ClosedPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_data_console_raises_the_error_of_a_closed_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", ClosedPipe())
    with pytest.raises(BrokenPipeError):
        data_console().print("x")


def test_counted() -> None:
    assert counted(1, "clip") == "1 clip"
    assert counted(1200, "clip") == "1,200 clips"
    assert counted(0, "switch", "switches") == "0 switches"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1500, "1.5 kB"),
        (33_400_000, "33.4 MB"),
        (253e9, "253 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_byte_count(count: float, text: str) -> None:
    assert byte_count(count) == text
