"""Metrics over items with their bootstrap confidence intervals."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
_PERCENTILES = (2.5, 97.5)  # of a 95 % interval
_SEED = 0
# Of more distinct values, a table of how often each is drawn takes more memory and time than drawing items.
_MAX_DISTINCT = 1000


@dataclass(frozen=True)
class Estimate:
    """A metric and its 95 % bootstrap interval from `low` to `high`, both None where fewer than two items make none.

    count: number of items that the metric is over.

    The interval is the percentile bootstrap over items: the 2.5th and 97.5th percentile of the metric of 1,000
    collections of as many items, drawn with replacement with a fixed seed (Bisani and Ney 2004, "Bootstrap estimates
    for confidence intervals in ASR performance evaluation").
    """

    value: float
    low: float | None = None
    high: float | None = None
    count: int = 0

    @classmethod
    def of_mean(cls, values: Iterable[float]) -> "Estimate":
        """Compute the mean of the items' values. Raises ValueError if there are none."""
        known = np.fromiter(values, dtype=np.float64)
        if not len(known):
            raise ValueError("a mean needs at least one item")
        distinct, counts = np.unique(known, return_counts=True)
        if len(distinct) > _MAX_DISTINCT:
            return cls.of(lambda drawn: float(known[drawn].mean()), len(known))
        total = len(known)
        # Draw how often each distinct value occurs in a resample, which is the same as drawing its items.
        draws = np.random.default_rng(_SEED).multinomial(total, counts / total, size=RESAMPLES)
        return cls._of(float(counts @ distinct / total), draws @ distinct / total, total)

    @classmethod
    def of_ratio(cls, numerators: Iterable[float], denominators: Iterable[float]) -> "Estimate":
        """Compute the sum of the items' numerators divided by that of their denominators, as for an error rate.

        Raises ValueError if the denominators sum to 0.
        """
        above, below = (np.fromiter(values, dtype=np.float64) for values in (numerators, denominators))
        if below.sum() == 0:
            raise ValueError("a ratio needs at least one item with a denominator that is not 0")

        def ratio(drawn: NDArray[np.int64]) -> float:
            total = below[drawn].sum()
            return float(above[drawn].sum() / total) if total else float("nan")

        return cls.of(ratio, len(above), float(above.sum() / below.sum()))

    @classmethod
    def of(
        cls,
        statistic: Callable[[NDArray[np.int64]], float],
        count: int,
        value: float | None = None,
        centered: bool = False,
    ) -> "Estimate":
        """Compute any statistic of items.

        statistic: of the items with these indices, which may repeat; NaN where they define none, which the interval
        leaves out. count: number of items. value: the statistic of all items, if it is known. centered: shift the
        interval by the difference of the value from the mean of the resamples, for a statistic that is biased on fewer
        distinct items, such as an entropy; it always contains the value. Raises ValueError if there are no items.
        """
        if not count:
            raise ValueError("a statistic needs at least one item")
        value = statistic(np.arange(count)) if value is None else value
        generator = np.random.default_rng(_SEED)
        drawn = (
            statistic(generator.integers(count, size=count)) for _ in range(RESAMPLES if count > 1 else 0)
        )
        resampled = np.fromiter(drawn, dtype=np.float64)
        if not centered or np.isnan(resampled).all():
            return cls._of(value, resampled, count)
        estimate = cls._of(value, resampled + (value - np.nanmean(resampled)), count)
        if estimate.low is None or estimate.high is None:
            return estimate
        # The mean of a skewed distribution can lie outside of its percentiles.
        return cls(value, min(estimate.low, value), max(estimate.high, value), count)

    @classmethod
    def _of(cls, value: float, resampled: NDArray[np.float64], count: int) -> "Estimate":
        resampled = resampled[~np.isnan(resampled)]
        if count < 2 or not len(resampled):
            return cls(value, count=count)
        low, high = np.percentile(resampled, _PERCENTILES)
        return cls(value, float(low), float(high), count)

    def text(self, scale: float = 1.0, digits: int = 1) -> str:
        """The value and its interval, such as `69.0 [65.2–72.8]`, multiplied by `scale`."""
        value, low, high = (
            "" if number is None else f"{scale * number:.{digits}f}"
            for number in (self.value, self.low, self.high)
        )
        return f"{value} [{low}–{high}]" if low else value

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return asdict(self)
