"""Progress of a training on stderr: steps, moving averages of the losses, and what a signal leaves."""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType

from spiritlm_cli.console import ProgressBar, is_quiet, notify
from spiritlm_cli.signals import on_signal

# Share of the last step in the moving averages.
_SHARE = 0.02


class Progress:
    """Steps and moving averages of the losses: a bar on a terminal, otherwise a line every ten seconds; a last line.

    saved: number of steps of the saved state.
    """

    def __init__(self, name: str, first: int, steps: int) -> None:
        """name: of the trained part. first: number of steps done before. steps: of the whole training."""
        self.bar = ProgressBar(name, steps, first)
        self.stack = ExitStack()
        self.name, self.first, self.steps = name, first, steps
        self.done = self.saved = first
        self.began = self.shown = time.monotonic()
        # of each loss
        self.means: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.losses = ""

    def __enter__(self) -> "Progress":
        self.stack.enter_context(on_signal(self._stopped))
        self.stack.enter_context(self.bar)
        return self

    def _stopped(self) -> str | None:
        """What is kept when a signal ends the training."""
        if is_quiet():
            return None
        if self.saved >= self.steps:
            return f"{self.name}: stopped after the last step; everything is saved"
        kept = f"--resume continues after step {self.saved}" if self.saved else "no state was saved yet"
        return f"{self.name}: stopped after step {self.done}; {kept}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, trace)
        if kind is None and self.first >= self.steps:
            notify(f"{self.name}: already at step {self.first}; give more --steps to continue")
        elif kind is None and self.losses:
            took = (time.monotonic() - self.began) / 60
            notify(f"{self.name}: {self.steps} steps, {self.losses}, in {took:.1f} min")

    def show(self, done: int, losses: Mapping[str, float]) -> None:
        """Update the display. done: number of steps done, including those before a resume; losses: of the last step."""
        for key, value in losses.items():
            self.counts[key] += 1
            # at first the plain mean, in which the first step counts no more than others
            share = max(_SHARE, 1 / self.counts[key])
            self.means[key] = (1 - share) * self.means.get(key, 0.0) + share * value
        self.losses = ", ".join(f"{key} {value:.4f}" for key, value in self.means.items())
        self.done = done
        self.bar.update(1, self.losses)
        now = time.monotonic()
        if not self.bar.visible and now - self.shown > 10 and done < self.steps:
            self.shown = now
            left = (now - self.began) / (done - self.first) * (self.steps - done) / 60
            notify(f"{self.name}: {done}/{self.steps} steps, {self.losses}, {left:.0f} min left")
