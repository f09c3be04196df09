"""The loop that every part is trained by: steps, learning rate, progress, saves and resume."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.training.options import LoopOptions


class Stateful(Protocol):
    """A model or an optimizer."""

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
    """Do `step(0)` … `step(steps - 1)` and `save()` at the end and every `options.save_every` steps.

    parts: all that changes while training; it is kept in `OUT/training/NAME.pt`, from which `options.resume` goes on.
    step: one step; its losses are shown. It draws all that it draws from its number and the seed, so that a resumed
    run sees what an uninterrupted one would.
    """
    state = options.out / "training" / f"{name}.pt"
    first = 0
    if options.resume:
        first = _restore(state, parts)
    began = shown = time.monotonic()
    means: dict[str, float] = {}
    for number in range(first, steps):
        for key, value in step(number).items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{name}: {key} is {value} at step {number}; try a lower --learning-rate"
                )
            means[key] = value if key not in means else 0.98 * means[key] + 0.02 * value
        done, now = number + 1, time.monotonic()
        if now - shown > 10 or done == steps:
            shown = now
            left = (now - began) / (done - first) * (steps - done)
            losses = "  ".join(f"{key} {value:.4f}" for key, value in means.items())
            print(f"{name} {done}/{steps}  {losses}  {left / 60:.0f} min left", file=sys.stderr, flush=True)
        if done % options.save_every == 0 or done == steps:
            save()
            _keep(state, parts, done)
    if first >= steps:
        save()


def warm_cosine(step: int, steps: int, highest: float, warm: int = 200) -> float:
    """Learning rate that rises over `warm` steps, then falls as a half cosine to a fiftieth."""
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
    """One step down `loss`, with gradients clipped to norm `clip`."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()


def _keep(path: Path, parts: Mapping[str, Stateful], done: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({"step": done, **{name: value.state_dict() for name, value in parts.items()}}, part)
    part.replace(path)


def _restore(path: Path, parts: Mapping[str, Stateful]) -> int:
    if not path.is_file():
        raise CheckpointError(f"{path}: missing; there is nothing to resume")
    state = torch.load(path, map_location="cpu", weights_only=True)
    for name, value in parts.items():
        value.load_state_dict(state[name])
    return int(state["step"])
