"""Units in records of clips, and how often each of them occurs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.bitrate import entropy_bitrate, nominal_bitrate, perplexity
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.evaluation.result import Metric
from spiritlm_cli.tokens.timeline import HUBERT_RATE, PITCH_RATE, STYLE_RATE, run_starts
from spiritlm_cli.tokens.units import IntArray, Kind, Units

RATES = {Kind.HUBERT: HUBERT_RATE, Kind.PITCH: PITCH_RATE, Kind.STYLE: STYLE_RATE}
BITRATES = (
    Metric("bitrate", "bits/s, fixed code", percent=False),
    Metric("entropy_bitrate", "bits/s, entropy", percent=False),
    Metric("merged_bitrate", "bits/s, entropy, runs merged", percent=False),
)
USE = (
    Metric("used", "units used"),
    Metric("perplexity", "perplexity", percent=False),
    Metric("units_per_second", "units/s, runs merged", percent=False),
)
# The largest unit that a record may name.
_MAX_UNIT = 1_000_000

Counts = NDArray[np.float64]


def units_to_json(units: Units) -> dict[str, list[int]]:
    """The streams by their prefixes, such as {"Hu": [28, 28, 7]}, each at its own rate, runs not merged."""
    streams = {Kind.HUBERT: units.hubert, Kind.PITCH: units.pitch, Kind.STYLE: units.style}
    return {kind.value: ids.tolist() for kind, ids in streams.items() if ids is not None}


def units_of(record: Record, kind: Kind = Kind.HUBERT) -> IntArray:
    """A stream of a record, (frames,). Raises ManifestError if it is not one of units."""
    ids = np.array(record["units"][kind.value] or np.zeros(0), dtype=np.float64)
    if ids.ndim != 1 or (len(ids) and not (ids.min() >= 0 and ids.max() < _MAX_UNIT)):
        raise ManifestError(f"{record['id']}: units of {kind.value} that are no numbers of units")
    return ids.astype(np.int64)


def stream_kinds(records: Sequence[Record]) -> list[Kind]:
    """The streams that all records have."""
    return [kind for kind in Kind if all(kind.value in record["units"] for record in records)]


@dataclass(frozen=True, eq=False)
class StreamCounts:
    """How often each unit of a stream occurs in each clip.

    size: of the codebook. frames, runs: (clips, units), without and after merging runs. seconds: (clips,), lengths.
    """

    kind: Kind
    size: int
    frames: Counts
    runs: Counts
    seconds: Counts

    @classmethod
    def of(cls, records: Sequence[Record], kind: Kind, size: int | None = None) -> "StreamCounts":
        """Count a stream of records. size: of the codebook; None: the largest unit + 1."""
        streams = [units_of(record, kind) for record in records]
        largest = max((int(ids.max()) for ids in streams if len(ids)), default=0)
        width = max(largest + 1, size or 0)
        frames = np.stack([np.bincount(ids, minlength=width) for ids in streams])
        # Style units are never merged in a token line.
        merged = streams if kind is Kind.STYLE else [ids[run_starts(ids)] for ids in streams]
        runs = np.stack([np.bincount(ids, minlength=width) for ids in merged])
        seconds = np.array([record["seconds"] for record in records], dtype=np.float64)
        return cls(kind, size or width, frames.astype(np.float64), runs.astype(np.float64), seconds)

    def use(self) -> dict[str, Estimate]:
        """Values of the metrics `USE`."""
        clips = len(self.seconds)

        def of_frames(weights: Counts) -> Counts:
            counted: Counts = weights @ self.frames
            return counted

        used = np.count_nonzero(self.frames.sum(0)) / self.size
        return {
            # no interval: a resample has fewer distinct clips, so it can only lose units
            "used": Estimate(used, count=clips),
            "perplexity": _estimate(lambda w: perplexity(of_frames(w)), clips),
            "units_per_second": Estimate.of_ratio(self.runs.sum(1), self.seconds),
        }


def bitrate_values(streams: Sequence[StreamCounts]) -> dict[str, Estimate]:
    """Values of the metrics `BITRATES`, summed over streams of the same clips."""
    clips, seconds = len(streams[0].seconds), streams[0].seconds

    def rate(weights: Counts, merged: bool) -> float:
        counts = (weights @ (one.runs if merged else one.frames) for one in streams)
        return sum(entropy_bitrate(count, float(weights @ seconds)) for count in counts)

    fixed = nominal_bitrate((one.size, RATES[one.kind]) for one in streams)
    return {
        "bitrate": Estimate(fixed, count=clips),
        "entropy_bitrate": _estimate(lambda w: rate(w, False), clips),
        "merged_bitrate": _estimate(lambda w: rate(w, True), clips),
    }


def _estimate(statistic: Any, clips: int) -> Estimate:
    """Compute a statistic of weights, how often each clip is counted.

    A resample has fewer distinct clips, and thus units: its statistics are biased.
    """

    def of_drawn(drawn: NDArray[np.int64]) -> float:
        return float(statistic(np.bincount(drawn, minlength=clips).astype(np.float64)))

    return Estimate.of(of_drawn, clips, centered=True)


def codebook_facts(sizes: dict[Kind, int]) -> dict[str, int]:
    """The sizes of codebooks by the names that a run is described with, such as {"Hu units": 501}."""
    return {f"{kind.value} units": size for kind, size in sizes.items()}


def codebook_size(facts: dict[str, Any], kind: Kind) -> int | None:
    """The size of a stream's codebook in the description of a run, or None."""
    size = facts.get(f"{kind.value} units")
    return size if isinstance(size, int) and size > 0 else None
