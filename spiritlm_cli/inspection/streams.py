"""Statistics of the units of one stream: codebook use, entropy, bitrate, n-grams and durations."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.inspection.histogram import Histogram
from spiritlm_cli.inspection.ngrams import MAX_IDS, NgramCounter
from spiritlm_cli.inspection.timeline import Lane
from spiritlm_cli.tokens.timeline import HUBERT_RATE, run_starts
from spiritlm_cli.tokens.units import IntArray, Kind, Unit

# The unit of the histogram of durations: the length of a phonetic unit.
FRAME_MS = 1000 / HUBERT_RATE
# How many units and n-grams `to_json` lists.
TOP = 20


@dataclass(frozen=True)
class UnitCount:
    """A unit, how many runs of it there are, and their mean duration."""

    unit: Unit
    runs: int
    mean_seconds: float


@dataclass(frozen=True)
class LongestRun:
    """The longest run of a stream. id: of its input."""

    unit: Unit
    seconds: float
    id: str


class StreamStatistics:
    """Counts of the runs of one stream, in memory that does not grow with their number.

    A run is one or more equal units in succession, which `tokenize` merges; all counts but `units` are of runs.
    codebook: number of units of the model; None if unknown. units: as many as the inputs have. seconds: of the speech
    of the inputs that have the stream. counts: (ids,) int64, runs by unit id. outside: runs whose id is not in the
    codebook, or is `MAX_IDS` or more; the latter are not in `counts`.
    """

    def __init__(self, kind: Kind, codebook: int | None = None) -> None:
        self.kind = kind
        self.codebook = codebook
        self.units = 0
        self.runs = 0
        self.outside = 0
        self.seconds = 0.0
        self.counts: IntArray = np.zeros(0, dtype=np.int64)
        self.longest: LongestRun | None = None
        self.durations = Histogram()
        self.bigrams = NgramCounter(2)
        self.trigrams = NgramCounter(3)
        self._durations: NDArray[np.float64] = np.zeros(0)

    def add(self, lane: Lane, seconds: float, id: str) -> None:  # noqa: A002
        """Count the runs of an input. seconds: of its speech."""
        durations = lane.ends - lane.starts
        self.seconds += seconds
        self.units += int(lane.counts.sum())
        self.runs += len(lane)
        self.durations.add(np.rint(durations * HUBERT_RATE))
        is_known = lane.ids < MAX_IDS
        ids = lane.ids[is_known]
        self.counts = _add(self.counts, np.bincount(ids))
        self._durations = _add(self._durations, np.bincount(ids, weights=durations[is_known]))
        self.outside += int(np.count_nonzero(lane.ids >= min(self.codebook or MAX_IDS, MAX_IDS)))
        longest = int(np.argmax(durations))
        if self.longest is None or durations[longest] > self.longest.seconds:
            self.longest = LongestRun(lane.unit(longest), float(durations[longest]), id)

    def add_span(self, ids: IntArray) -> None:
        """Count the n-grams of the units of one speech span. ids: (n,) int64; equal ones in succession count once."""
        merged = ids[run_starts(ids)]
        self.bigrams.add(merged)
        self.trigrams.add(merged)

    @property
    def distinct(self) -> int:
        """Number of different units."""
        return int(np.count_nonzero(self.counts))

    @property
    def used(self) -> int:
        """Number of units of the codebook that occur."""
        return int(np.count_nonzero(self.counts[: self.codebook]))

    @property
    def entropy(self) -> float:
        """Entropy of the distribution of runs over units, in bits."""
        counts = self.counts[self.counts > 0]
        shares = counts / counts.sum()
        return abs(float(-(shares * np.log2(shares)).sum()))

    @property
    def perplexity(self) -> float:
        """Number of equally frequent units that have the same entropy."""
        return float(2**self.entropy)

    @property
    def rate(self) -> float | None:
        """Runs per second; None for no speech."""
        return self.runs / self.seconds if self.seconds else None

    @property
    def fixed_length_bitrate(self) -> float | None:
        """Bits per second if each run has log2(K) bits: K is the size of the codebook, or else the number of different
        units."""
        size = self.codebook or self.distinct
        return None if self.rate is None else self.rate * math.log2(max(size, 1))

    @property
    def entropy_bitrate(self) -> float | None:
        """Bitrate of the ZeroSpeech 2019 challenge, N / D × entropy, for N runs in D seconds (Dunbar et al. 2019,
        arXiv 1904.11469)."""
        return None if self.rate is None else self.rate * self.entropy

    def most_frequent(self, number: int) -> list[UnitCount]:
        """Return the most frequent units; of equally frequent ones, the lower id first."""
        order = np.argsort(-self.counts, kind="stable")[: min(number, self.distinct)]
        return [self._unit_count(int(index)) for index in order]

    def least_frequent(self, number: int) -> list[UnitCount]:
        """Return the least frequent units of those that occur; of equally frequent ones, the lower id first."""
        ids = np.flatnonzero(self.counts)
        order = ids[np.argsort(self.counts[ids], kind="stable")][:number]
        return [self._unit_count(int(index)) for index in order]

    def _unit_count(self, index: int) -> UnitCount:
        runs = int(self.counts[index])
        return UnitCount(Unit(self.kind, index), runs, float(self._durations[index]) / runs)

    def summary(self) -> dict[str, Any]:
        """Return the figures of the table as an object for `json.dumps`."""
        longest = self.longest
        return {
            "units": self.units,
            "runs": self.runs,
            "distinct": self.distinct,
            "codebook_size": self.codebook,
            "outside_codebook": self.outside,
            "seconds": round(self.seconds, 3),
            "runs_per_second": self.rate,
            "entropy_bits": self.entropy,
            "perplexity": self.perplexity,
            "fixed_length_bits_per_second": self.fixed_length_bitrate,
            "entropy_bits_per_second": self.entropy_bitrate,
            "longest_run": longest
            and {"unit": str(longest.unit), "seconds": round(longest.seconds, 3), "id": longest.id},
        }

    def to_json(self) -> dict[str, Any]:
        """Return the summary, the counts of all units, the top n-grams and the durations for `json.dumps`."""
        return {
            **self.summary(),
            "used_codebook_share": self.used / self.codebook if self.codebook else None,
            "counts": {str(index): int(self.counts[index]) for index in np.flatnonzero(self.counts)},
            "bigrams": self._ngrams(self.bigrams),
            "trigrams": self._ngrams(self.trigrams),
            "duration_ms": self.durations.to_json(FRAME_MS),
        }

    def _ngrams(self, ngrams: NgramCounter) -> dict[str, Any]:
        top = [{"units": self.spell(ids), "count": count} for ids, count in ngrams.top(TOP)]
        return {"count": ngrams.total, "undercount": ngrams.undercount, "top": top}

    def spell(self, ids: tuple[int, ...]) -> str:
        """The spelling of an n-gram, such as `[Hu28][Hu22]`."""
        return "".join(str(Unit(self.kind, unit_id)) for unit_id in ids)


def _add(total: NDArray[Any], more: NDArray[Any]) -> NDArray[Any]:
    """The sum of two arrays, the shorter one padded with zeros."""
    if len(total) < len(more):
        total = np.pad(total, (0, len(more) - len(total)))
    total[: len(more)] += more
    return total
