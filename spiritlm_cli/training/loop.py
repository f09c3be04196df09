"""Training loop that all parts share: steps, learning rate, progress, saved states and resume."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import torch
from torch import nn

from spiritlm_cli.checkpoints.pickles import read_pickle
from spiritlm_cli.console import ProgressBar, is_quiet, notify
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.files import atomic_path
from spiritlm_cli.signals import on_signal
from spiritlm_cli.training.options import LoopOptions
from spiritlm_cli.training.run_file import record_run


class Stateful(Protocol):
    """An object with a state dictionary, such as a model or an optimizer."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Any) -> Any: ...


def run(
    options: LoopOptions,
    name: str,
    steps: int,
    parts: Mapping[str, Stateful],
    step: Callable[[int], Mapping[str, float]],
    save: Callable[[], None],
) -> None:
    """Call `step(0)` to `step(steps - 1)`, and `save()` every `options.save_every` steps and at the end.

    name: of the trained part. parts: everything that training changes, by name; their states are saved in
    `OUTPUT/training/NAME.pt`, from which `options.resume` continues. step: does one step and returns losses by name.
    Its random numbers must depend only on the step number and the seed, so that a resumed run gives the same weights
    as an uninterrupted one. save: writes the weights.
    Raises CheckpointError if there is no state to resume or if it belongs to another run, and SpiritLMError if a loss
    is not finite.
    """
    state = options.output / "training" / f"{name}.pt"
    first = _load_state(state, parts) if options.resume else 0
    if not options.resume:
        record_run(options, name)
    means: dict[str, float] = {}
    with _Progress(name, first, steps) as progress:
        for number in range(first, steps):
            for key, value in step(number).items():
                if not math.isfinite(value):
                    raise SpiritLMError(
                        f"{name}: {key} is {value} at step {number}; --resume with a lower --learning-rate"
                    )
                means[key] = value if key not in means else 0.98 * means[key] + 0.02 * value
            done = number + 1
            progress.show(done, means)
            if done % options.save_every == 0 or done == steps:
                save()
                _save_state(state, parts, done)
                progress.saved = done
    if first >= steps:
        save()


class _Progress:
    """Steps and moving averages of the losses: a bar on a terminal, otherwise a line every ten seconds; a last line.

    saved: number of steps of the saved state.
    """

    def __init__(self, name: str, first: int, steps: int) -> None:
        self.bar = ProgressBar(name, steps, first)
        self.stack = ExitStack()
        self.name, self.first, self.steps = name, first, steps
        self.done = self.saved = first
        self.began = self.shown = time.monotonic()
        self.losses = ""

    def __enter__(self) -> "_Progress":
        self.stack.enter_context(on_signal(self._stopped))
        self.stack.enter_context(self.bar)
        return self

    def _stopped(self) -> str | None:
        """What is kept when a signal ends the training."""
        if is_quiet():
            return None
        kept = f"--resume continues after step {self.saved}" if self.saved else "no state was saved yet"
        return f"{self.name}: stopped after step {self.done}; {kept}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, trace)
        if kind is None and self.losses:
            took = (time.monotonic() - self.began) / 60
            notify(f"{self.name}: {self.steps} steps, {self.losses}, in {took:.1f} min")

    def show(self, done: int, means: Mapping[str, float]) -> None:
        """Update the display. done: number of steps done, including those before a resume; means: of each loss."""
        self.losses = ", ".join(f"{key} {value:.4f}" for key, value in means.items())
        self.done = done
        self.bar.update(1, self.losses)
        now = time.monotonic()
        if not self.bar.visible and now - self.shown > 10 and done < self.steps:
            self.shown = now
            left = (now - self.began) / (done - self.first) * (self.steps - done) / 60
            notify(f"{self.name}: {done}/{self.steps} steps, {self.losses}, {left:.0f} min left")


def warm_cosine(step: int, steps: int, highest: float, warm: int = 200) -> float:
    """Learning rate of a step: linear warm-up over `warm` steps, then cosine decay from `highest` to `highest` / 50.

    step: from 0. steps: length of the training.
    """
    if step < warm:
        return highest * (step + 1) / warm
    share = (step - warm) / max(1, steps - warm)
    return highest * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))


def update(
    optimizer: torch.optim.Optimizer,
    model: nn.Module,
    loss: torch.Tensor,
    learning_rate: float,
    clip: float = 1.0,
) -> None:
    """Do one optimizer step on `loss`, with the norm of the model's gradient clipped to `clip`."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()


def _save_state(path: Path, parts: Mapping[str, Stateful], done: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    states = {name: value.state_dict() for name, value in parts.items()}
    with atomic_path(path) as temporary:
        torch.save({"step": done, "parts": states}, temporary)


def _load_state(path: Path, parts: Mapping[str, Stateful]) -> int:
    """Load the saved state into `parts` and return its number of steps.

    Raises CheckpointError if there is none, or if it does not fit `parts`.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: missing; there is nothing to resume: leave out --resume")
    state = read_pickle(path)
    if not {"step", "parts"} <= state.keys() or state["parts"].keys() != parts.keys():
        raise CheckpointError(f"{path}: not the state of this training; start a new run, without --resume")
    for name, value in parts.items():
        try:
            value.load_state_dict(state["parts"][name])
        except (RuntimeError, ValueError, KeyError) as error:
            # sizes also depend on the data: the vocabulary, the number of labels
            raise CheckpointError(
                f"{path}: doesn't fit the {name} that these data and options make; start a new run, without --resume"
            ) from error
    return int(state["step"])
