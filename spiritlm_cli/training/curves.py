"""The measurements of a training as curves, thinned and smoothed: its lines of JSON, read while they are written."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# A curve has at most twice as many points, whatever the length of the training.
POINTS = 1000
# Length of the moving average as a share of the curve.
_SMOOTHED = 0.02


class Curve:
    """One value over the steps. A point is the mean of `width` successive measurements.

    width: 1 at first; it is doubled whenever there are 2 × `POINTS` points, whose pairs become one.
    """

    def __init__(self) -> None:
        self.width = 1
        self._points: list[tuple[float, float]] = []
        self._waiting: list[tuple[float, float]] = []

    def add(self, step: int, value: float) -> None:
        """Add a measurement of a step."""
        self._waiting.append((step, value))
        if len(self._waiting) == self.width:
            self._points.append(_mean(self._waiting))
            self._waiting = []
        if len(self._points) == 2 * POINTS:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [_mean(pair) for pair in pairs]
            self.width *= 2

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps and values, (points,) each; the last point may be of fewer measurements."""
        points = self._points + ([_mean(self._waiting)] if self._waiting else [])
        steps, values = np.array(points, dtype=np.float64).reshape(-1, 2).T
        return steps, values


def _mean(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    steps, values = zip(*points, strict=True)
    return sum(steps) / len(points), sum(values) / len(points)


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exponential moving average over a fiftieth of the values, (points,). Early ones are the means of fewer values."""
    keep = math.exp(-1 / max(1.0, _SMOOTHED * len(values)))
    smoothed = np.empty_like(values)
    total = weight = 0.0
    for index, value in enumerate(values):
        total, weight = keep * total + value, keep * weight + 1
        smoothed[index] = total / weight
    return smoothed


class Curves:
    """The curves of a file with a line of JSON for each step.

    by_name: the curves, in the order in which their values first occur. last: number of steps done.
    """

    def __init__(self, path: Path) -> None:
        self.by_name: dict[str, Curve] = {}
        self.last = 0
        self._path, self._read = path, 0

    def update(self) -> None:
        """Read the lines that were written since the last call. Values that are no finite numbers are left out."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                self._read += len(line)
                values = json.loads(line)
                self.last = values.pop("step")
                for name, value in values.items():
                    if isinstance(value, int | float) and math.isfinite(value):
                        self.by_name.setdefault(name, Curve()).add(self.last, value)
