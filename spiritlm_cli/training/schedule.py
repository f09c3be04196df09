"""Learning rates of the steps of a training."""

import math
from typing import Literal

Schedule = Literal["cosine", "constant", "wsd"]

# Last learning rate of the schedules that decay, as a share of the highest.
LAST = 0.02
# Share of the steps in which `wsd` decays.
DECAY = 0.2


def default_warmup(steps: int) -> int:
    """Steps of warm-up in a training of so many: a fifth, up to 200."""
    return min(200, steps // 5)


def warm_cosine(step: int, steps: int, highest: float, warm: int | None = None) -> float:
    """Learning rate of a step: linear warm-up over `warm` steps, then cosine decay from `highest` to `highest` / 50.

    step: from 0. steps: length of the training. warm: by default `default_warmup(steps)`.
    """
    warm = default_warmup(steps) if warm is None else warm
    if step < warm:
        return highest * (step + 1) / warm
    share = (step - warm) / max(1, steps - warm)
    return highest * (LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * share)))


def learning_rate(schedule: Schedule, step: int, steps: int, highest: float, warm: int) -> float:
    """Learning rate of a step by the schedule of this name, after a linear warm-up over `warm` steps.

    cosine: as `warm_cosine`. constant: `highest`. wsd (warm-up, stable, decay; Hu et al. 2024): `highest`, and in the
    last fifth of the steps linear decay to `highest` / 50. step: from 0. steps: length of the training.
    """
    if schedule == "cosine" or step < warm:
        return warm_cosine(step, steps, highest, warm)
    if schedule == "constant":
        return highest
    decaying = max(1, round(DECAY * steps))
    share = max(0.0, (step + 1 - (steps - decaying)) / decaying)
    return highest * (1 - (1 - LAST) * share)
