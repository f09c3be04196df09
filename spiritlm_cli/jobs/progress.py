"""What a person sees of a long run: a bar on a terminal, and a line when it is over."""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from spiritlm_cli.console import ProgressBar, notify, shows_progress

if TYPE_CHECKING:
    from spiritlm_cli.manifests.clip import Waveform


class Progress:
    """Counts items and the seconds of sound in them; stderr shows them, unless --quiet.

    The bar is for terminals alone; the line at the end comes where there was more than one item.
    """

    def __init__(self, what: str, total: int | None = None, done: int = 0) -> None:
        """what: the items, in the plural; total: how many there will be; done: how many an earlier run did."""
        self._what, self._before = what, done
        self._items = self._failed = 0
        self._seconds = 0.0
        self._bar = ProgressBar(what, total, done)

    @staticmethod
    def shown() -> bool:
        """Whether there will be a bar; so whether it is worth counting what there is beforehand."""
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

    def heard(self, seconds: float) -> None:
        """So much sound more has gone through."""
        self._seconds += seconds
        self._show()

    def counted(self, blocks: "Iterable[Waveform]") -> "Iterator[Waveform]":
        """The blocks of a sound, each heard when it is taken."""
        for block in blocks:
            self.heard(block.seconds)
            yield block

    def done(self, failed: bool = False) -> None:
        """One item more is finished."""
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
