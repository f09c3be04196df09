"""Messages and progress bars for people, on stderr: one logger, whose level `-q` and `-v` set.

Data goes to stdout; nothing here writes there.
"""

import logging
import sys
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")

log = logging.getLogger("spiritlm_cli")


def set_up() -> None:
    """Send the package's log records to stderr as `spiritlm: MESSAGE`, warnings and errors only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("spiritlm: %(message)s"))
    log.handlers[:] = [handler]
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
    """Write a line for the person at the terminal to stderr, unless `--quiet` was given."""
    if not is_quiet():
        print(message, file=sys.stderr, flush=True)


def one_line(message: str) -> str:
    """Return the message as one line that can't control a terminal: whitespace runs become one space, other
    unprintable characters become `?`."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))


class ProgressBar:
    """A progress bar on stderr, for use as a context manager; invisible unless `shows_progress`."""

    def __init__(self, description: str, total: int | None = None, completed: int = 0) -> None:
        """total: number of items, None if unknown; completed: how many of them are done already."""
        self._description, self._total, self._completed = description, total, completed
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "ProgressBar":
        if shows_progress():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(
                *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
            )
            self._task = self._bar.add_task(self._description, total=self._total, completed=self._completed)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, advance: int = 0, description: str | None = None) -> None:
        """Advance by a number of items, and replace the description if one is given."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, advance=advance, description=description)


def shows_progress() -> bool:
    """Return whether progress bars are visible: stderr is a terminal, and `--quiet` was not given."""
    return sys.stderr.isatty() and not is_quiet()


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield items while a progress bar counts those that the caller is done with."""
    with ProgressBar(description, total) as bar:
        for item in items:
            yield item
            bar.update(advance=1)
