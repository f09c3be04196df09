"""Histograms of positive values in bins whose widths grow with the values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, …: two bins for each factor of two.
_EDGES = np.array([0, 1, *(edge for power in range(1, 60) for edge in (2**power, 3 * 2 ** (power - 1)))])


@dataclass(frozen=True)
class Bin:
    """How many values are at least `start` and less than `end`."""

    start: float
    end: float
    count: int


class Histogram:
    """Counts of values from 0 in bins between 0, 1, 2, 3, 4, 6, 8, 12, 16, …, their sum and their extremes."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.smallest = float("inf")
        self.largest = 0.0
        self._counts = np.zeros(len(_EDGES), dtype=np.int64)

    def add(self, values: ArrayLike) -> None:
        """Count values. values: (n,), from 0."""
        array: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
        if not len(array):
            return
        self._counts += np.bincount(np.searchsorted(_EDGES, array, side="right") - 1, minlength=len(_EDGES))
        self.count += len(array)
        self.total += float(array.sum())
        self.smallest = min(self.smallest, float(array.min()))
        self.largest = max(self.largest, float(array.max()))

    @property
    def mean(self) -> float | None:
        """Mean of the values; None if there are none."""
        return self.total / self.count if self.count else None

    def bins(self, scale: float = 1) -> list[Bin]:
        """Return the bins from the first to the last that has values, with edges multiplied by `scale`."""
        filled = np.flatnonzero(self._counts)
        if not len(filled):
            return []
        edges = [float(edge) * scale for edge in _EDGES]
        return [
            Bin(edges[index], edges[index + 1], int(self._counts[index]))
            for index in range(filled[0], filled[-1] + 1)
        ]

    def to_json(self, scale: float = 1) -> dict[str, Any]:
        """Return an object for `json.dumps`. scale: by which edges, mean and extremes are multiplied."""
        return {
            "count": self.count,
            "mean": None if self.mean is None else self.mean * scale,
            "smallest": self.smallest * scale if self.count else None,
            "largest": self.largest * scale if self.count else None,
            "bins": [
                {"from": item.start, "below": item.end, "count": item.count} for item in self.bins(scale)
            ],
        }
