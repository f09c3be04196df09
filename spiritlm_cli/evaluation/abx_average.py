"""The average of ABX errors: over contexts, then over speakers, then over ordered pairs of phones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.floating[Any]]


class AbxAverage:
    """Averages the errors of cells, each as often as a weight says.

    A mean over contexts (and, across speakers, over the speakers of X), then over the speakers of A and B, then over
    ordered pairs of phones, as in libri-light.
    """

    def __init__(
        self, errors: Sequence[float], speakers: Sequence[str], pairs: Sequence[tuple[str, str]]
    ) -> None:
        """errors: of the cells; speakers: of A and B; pairs: of phones. At least one cell."""
        self._errors = np.array(errors, dtype=np.float64)
        names = list(zip(speakers, pairs, strict=True))
        self._cells, by_speaker = _number(names)
        self._speakers, by_pair = _number([pair for _, pair in by_speaker])
        self._pairs = len(by_pair)

    def __call__(self, weights: FloatArray | None = None) -> float:
        """weights: (cells,), how often each is counted; None: once. At least one is positive."""
        weights = np.ones(len(self._errors)) if weights is None else weights
        by_speaker, seen = _mean(self._cells, weights, self._errors, len(self._speakers))
        by_pair, pairs = _mean(self._speakers, seen.astype(float), by_speaker, self._pairs)
        return float(by_pair[pairs].mean())


def _number(names: Sequence[Any]) -> tuple[IntArray, list[Any]]:
    """The number of each name in the list of distinct names, and that list."""
    numbers = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names]), list(numbers)


def _mean(
    groups: IntArray, weights: FloatArray, values: FloatArray, count: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The weighted mean of each group, 0 where it has no weight, and whether it has any."""
    total = np.bincount(groups, weights, count)
    sums = np.bincount(groups, weights * values, count)
    seen = total > 0
    return np.divide(sums, total, out=np.zeros(count), where=seen), seen
