"""Messages and progress bars for people, on stderr: one logger, whose level `-q` and `-v` set.

Data goes to stdout; nothing here writes there.
"""

import functools
import logging
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, TextIO, TypeVar

from spiritlm_cli.signals import on_signal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

T = TypeVar("T")

log = logging.getLogger("spiritlm_cli")


class _Handler(logging.Handler):
    """Writes each record as one message."""

    def emit(self, record: logging.LogRecord) -> None:
        write_message(record.getMessage())


def set_up() -> None:
    """Send the package's log records to stderr as `spiritlm: MESSAGE`, warnings and errors only."""
    log.handlers[:] = [_Handler()]
    warn_once.cache_clear()
    log.propagate = False
    log.setLevel(logging.WARNING)


def set_quiet() -> None:
    """Show errors only (`--quiet`)."""
    log.setLevel(logging.ERROR)


def set_verbose() -> None:
    """Show what is being done, too (`--verbose`)."""
    log.setLevel(logging.INFO)


def is_quiet() -> bool:
    """Return whether `--quiet` was given."""
    return not log.isEnabledFor(logging.WARNING)


def is_verbose() -> bool:
    """Return whether `--verbose` was given."""
    return log.isEnabledFor(logging.INFO)


def notify(message: str) -> None:
    """Write `spiritlm: MESSAGE` to stderr, unless `--quiet` was given."""
    if not is_quiet():
        write_message(message)


@functools.cache
def warn_once(message: str) -> None:
    """Log a warning, the first time that there is this one."""
    log.warning("%s", message)


def write_message(message: str, prefix: str = "spiritlm: ") -> None:
    """Write a message to stderr as one line that can't control a terminal."""
    # Another command of the pipe may have a progress bar on this line.
    clear = "\r\x1b[K" if in_pipe() and sys.stderr.isatty() else ""
    print(f"{clear}{prefix}{one_line(message)}", file=sys.stderr, flush=True)


def one_line(message: str) -> str:
    """Return the message as one line that can't control a terminal: whitespace runs become one space, other
    unprintable characters become `?`."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))


def escape_markup(text: str) -> str:
    """Return text for a table of `rich`: on one line, and brackets are no markup."""
    from rich.markup import escape

    return escape(one_line(text))


def byte_count(count: float) -> str:
    """A number of bytes in words, such as `33.5 MB`."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while count >= 1000 and units[1:]:
        count /= 1000
        units.pop(0)
    return f"{count:.0f} {units[0]}" if units[0] == "bytes" or count >= 100 else f"{count:.1f} {units[0]}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number and what is counted: `1 clip`, `1,200 clips`. plural: if it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def data_console() -> "Console":
    """Return a console of `rich` for results.

    It keeps the stdout of this call, also while `data_only` keeps what libraries print out of it. BrokenPipeError is
    raised as by other output; rich's own console would exit with status 1.
    """
    from rich.console import Console

    class DataConsole(Console):
        def on_broken_pipe(self) -> None:
            raise  # called where the error is handled

    return DataConsole(file=sys.stdout, highlight=False)


def in_pipe() -> bool:
    """Return whether stdout is a pipe, so that a later command of the pipe is the one to show progress."""
    try:
        mode = os.fstat(sys.__stdout__.fileno()).st_mode  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # it is closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def shows_progress() -> bool:
    """Return whether progress is shown: stderr is a terminal, stdout is not a pipe, and `--quiet` was not given."""
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return is_terminal and not in_pipe() and not is_quiet()


class _Screen:
    """The terminal that a bar is drawn on. A signal ends the drawing, which another thread does."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._is_open = stream, True
        self.isatty, self.fileno, self.flush = stream.isatty, stream.fileno, stream.flush
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        return self._stream.write(text) if self._is_open else len(text)

    def erase(self) -> None:
        """Remove the bar and show the cursor again, at a signal."""
        self._is_open = False
        os.write(2, b"\r\x1b[2K\x1b[?25h")


class ProgressBar:
    """A progress bar on stderr, for use as a context manager; it is removed at the end.

    It is visible if `shows_progress`, unless lines of data go to the same terminal.
    """

    def __init__(
        self, description: str, total: int | None = None, completed: int = 0, to_stdout: bool = False
    ) -> None:
        """total: number of items, None if unknown; completed: how many of them are done already; to_stdout: data is
        written to stdout meanwhile."""
        self._description, self._total, self._completed = description, total, completed
        on_screen = to_stdout and sys.__stdout__ is not None and sys.__stdout__.isatty()
        self.visible = shows_progress() and not on_screen
        self._stack = ExitStack()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "ProgressBar":
        if self.visible:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=_bar_width()),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False),
            )
            screen = _Screen(sys.stderr)
            console = Console(file=screen)  # type: ignore[arg-type]  # all of a stream that rich uses
            self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=False)
            total, completed = self._total, self._completed
            self._task = self._bar.add_task(self._description, total=total, completed=completed, note="")
            self._stack.enter_context(on_signal(screen.erase))
            self._stack.enter_context(self._bar)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def update(self, advance: int = 0, note: str = "") -> None:
        """Advance by a number of items. note: what is shown behind the bar, as much as there is room for."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, advance=advance, note=self._fit(note, self._bar.console.width))

    def _fit(self, note: str, columns: int) -> str:
        """The note, cut to what the columns before it leave, and so that the `^C` of a terminal fits behind it."""
        count = 2 * len(str(self._total)) + 1 if self._total else len("99999/?")
        room = columns - len(self._description) - _bar_width() - count - len("0:00:00") - 8
        return note if len(note) <= room else f"{note[: room - 1]}…" if room > 1 else ""


def _bar_width() -> int:
    return min(40, shutil.get_terminal_size().columns // 4)


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield items while a progress bar counts those that the caller is done with."""
    with ProgressBar(description, total) as bar:
        for item in items:
            yield item
            bar.update(advance=1)
