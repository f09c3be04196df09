"""The progress of a job on stderr: a bar on a terminal, and a line at the end."""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType

from spiritlm_cli.console import ProgressBar, notify, shows_progress
from spiritlm_cli.manifests.clip import Waveform


class Progress:
    """Counts items and seconds of audio, and shows them on stderr, unless `--quiet` was given.

    A bar is shown on a terminal only, a line at the end only if there was more than one item.
    """

    def __init__(self, what: str, total: int | None = None, completed: int = 0) -> None:
        """what: the items, in the plural; total: their number, if it is known; completed: how many an interrupted run
        has processed."""
        self._what, self._before = what, completed
        self._items = self._failed = 0
        self._seconds = 0.0
        self._bar = ProgressBar(what, total, completed)

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
        if kind is None and self._items > 1:
            notify(f"spiritlm: {self._summary()}")

    def add_seconds(self, seconds: float) -> None:
        """Count seconds of audio as processed."""
        self._seconds += seconds
        self._show()

    def measured(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        """Yield blocks of audio, and count the seconds of each."""
        for block in blocks:
            self.add_seconds(block.seconds)
            yield block

    def advance(self, failed: bool = False) -> None:
        """Count one item as processed."""
        self._items += 1
        self._failed += failed
        self._show(1)

    @property
    def _speed(self) -> float:
        return self._seconds / max(time.monotonic() - self._begun, 1e-3)

    def _show(self, advance: int = 0) -> None:
        speed = f", {self._speed:.0f} × real time" if self._seconds else ""
        description = f"{self._what}{speed}"
        if self._failed:
            description += f", {self._failed} bad"
        self._bar.update(advance, description)

    def _summary(self) -> str:
        took = time.monotonic() - self._begun
        before = f" ({self._before} more were done before)" if self._before else ""
        items = f"{self._items} {self._what}{before}"
        if not self._seconds:
            return f"{items} in {_spelled(took)}; {self._failed} bad"
        audio = f"{_spelled(self._seconds)} of audio in {_spelled(took)}, {self._speed:.0f} × real time"
        return f"{items}, {audio}; {self._failed} bad"


def _spelled(seconds: float) -> str:
    """In the unit that people would use."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.2f} hours"
