import io
import logging
import sys
from collections.abc import Iterator

import pytest

from spiritlm_cli.console import log, one_line, set_quiet, track


class Terminal(io.StringIO):
    """A terminal to the code that writes to it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def level() -> Iterator[None]:
    """Restores the level of the package's logger."""
    before = log.level
    log.setLevel(logging.WARNING)
    yield
    log.setLevel(before)


def test_one_line_removes_line_ends_and_control_characters() -> None:
    assert one_line("a\n b\x1b[31m") == "a b?[31m"


@pytest.mark.parametrize(("terminal", "quiet"), [(True, False), (True, True), (False, False)])
@pytest.mark.usefixtures("level")
def test_track_shows_a_bar_on_a_terminal_unless_quiet(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, quiet: bool
) -> None:
    stderr = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    if quiet:
        set_quiet()
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    written = stderr.getvalue()
    assert ("letters" in written, "3/3" in written) == (
        (True, True) if terminal and not quiet else (False, False)
    )
    assert bool(written) == (terminal and not quiet)
