"""The progress of a job on stderr: a bar on a terminal, and a line at the end."""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType

from spiritlm_cli.console import ProgressBar, is_verbose, notify, shows_progress
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.streams import is_stdout


class Progress:
    """Counts items and seconds of audio, and shows them on stderr, unless `--quiet` was given.

    The bar and the line at the end are for people: they are shown on a terminal, by the last command of a pipe. If an
    item failed or was empty, or with `--verbose`, the line is written in any case. One item whose data goes to stdout
    has no line.
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        completed: int = 0,
        output: object = None,
        lines: bool = True,
    ) -> None:
        """what: the items, in the plural; total: their number, if it is known; completed: how many an interrupted run
        has processed; output: the file or folder that is written, None or "-" for stdout; lines: whether stdout gets
        each item, and not a result at the end."""
        self._what, self._before = what, completed
        self._output = "" if output is None or is_stdout(str(output)) else str(output)
        self._items = self._failed = self._empty = 0
        self._seconds = 0.0
        self._bar = ProgressBar(what, total, completed, to_stdout=lines and not self._output)

    @staticmethod
    def shown() -> bool:
        """Whether there is a bar, so that it is worth counting the items first."""
        return shows_progress()

    def __enter__(self) -> "Progress":
        self._begun = time.monotonic()
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)
        is_for_people = shows_progress() and (self._output or self._items > 1)
        if kind is None and (is_for_people or is_verbose() or self._failed or self._empty):
            notify(self._summary())

    def add_seconds(self, seconds: float) -> None:
        """Count seconds of audio as processed."""
        self._seconds += seconds
        self._show()

    def measured(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        """Yield blocks of audio, and count the seconds of each."""
        for block in blocks:
            self.add_seconds(block.seconds)
            yield block

    def advance(self, failed: bool = False, empty: bool = False) -> None:
        """Count one item as processed. empty: an earlier command could not use its input."""
        self._items += 1
        self._failed += failed
        self._empty += empty
        self._show(1)

    @property
    def _speed(self) -> str:
        """Seconds of audio per second, with two digits."""
        speed = self._seconds / max(time.monotonic() - self._begun, 1e-3)
        return f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"

    def _show(self, advance: int = 0) -> None:
        notes = [f"{self._speed} × real time"] if self._seconds else []
        if self._failed:
            notes.append(f"{self._failed} failed")
        self._bar.update(advance, ", ".join(notes))

    def _summary(self) -> str:
        took = time.monotonic() - self._begun
        before = f" ({self._before} more were done before)" if self._before else ""
        what = self._what.removesuffix("s") if self._items == 1 else self._what
        parts = [f"{self._items} {what}{before}"]
        if self._seconds:
            parts.append(f"{_spelled(self._seconds)} of audio in {_spelled(took)}")
            parts.append(f"{self._speed} × real time")
        else:
            parts[0] += f" in {_spelled(took)}"
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._empty:
            parts.append(f"{self._empty} empty")
        summary = ", ".join(parts)
        return f"{self._output}: {summary}" if self._output else summary


def _spelled(seconds: float) -> str:
    """In the unit that people would use."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.2f} hours"
