"""Differences of two clips or token lines A and B: unit error rates, confusions, and the stretches that differ.

The unit error rate of a stream is (substitutions + insertions + deletions) / units of A, at the minimum edit distance
of the runs of equal units. Gat et al. 2023 ("Augmentation invariant discrete representation for generative spoken
language modeling", arXiv 2209.15483) measure the robustness of a tokenizer by the same edit distance.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.timeline import Lane, Timeline
from spiritlm_cli.tokens.edit_distance import NONE, EditPath, edit_path
from spiritlm_cli.tokens.sequence import Sequence, Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import HUBERT_RATE
from spiritlm_cli.tokens.units import Kind, Unit

# What is compared, by its name in tables and in JSON. None: the text spans.
STREAMS: dict[str, Kind | None] = {
    "phonetic": Kind.HUBERT,
    "pitch": Kind.PITCH,
    "style": Kind.STYLE,
    "text": None,
}
# A word with the whitespace around it, so that the words of a text make up the whole text.
_WORD = re.compile(r"\s*\S+\s*|\s+")


@dataclass(frozen=True, eq=False)
class StreamSide:
    """One side of a stream: the runs of units, such as `Hu28`, or the words of text spans, and when each is spoken.

    labels: units without brackets, or words with the white space around them. starts, ends: (labels,) float64, seconds.
    """

    labels: tuple[str, ...]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Differences in one stream. units: of A. frames, different_frames: of 40 ms, where all times are exact."""

    units: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0
    frames: int = 0
    different_frames: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.units + other.units,
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.frames + other.frames,
            self.different_frames + other.different_frames,
        )

    @property
    def distance(self) -> int:
        """The edit distance."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def error_rate(self) -> float | None:
        """Edit distance / units of A; may exceed 1, and is None if A has no units."""
        return self.distance / self.units if self.units else None

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return {
            "units": self.units,
            "substitutions": self.substitutions,
            "insertions": self.insertions,
            "deletions": self.deletions,
            "error_rate": None if self.error_rate is None else round(self.error_rate, 6),
            "frames": self.frames or None,
            "different_frames": self.different_frames if self.frames else None,
        }


@dataclass(frozen=True, eq=False)
class StreamDiff:
    """The two sides of a stream, and the minimal alignment of their labels. name: of `STREAMS`."""

    name: str
    a: StreamSide
    b: StreamSide
    path: EditPath
    counts: Counts

    def substitutions(self) -> Iterator[tuple[str, str]]:
        """The pairs of labels (A, B) that differ in the alignment."""
        both = (self.path.a != NONE) & (self.path.b != NONE) & ~self.path.equal
        for step in np.flatnonzero(both):
            yield self.a.labels[self.path.a[step]], self.b.labels[self.path.b[step]]

    def stretches(self, context: int) -> Iterator[slice]:
        """The steps of the alignment that differ, with `context` steps to either side, as in a unified diff."""
        different = np.flatnonzero(~self.path.equal)
        if not len(different):
            return
        gaps = np.flatnonzero(np.diff(different) > 2 * context + 1)
        for first, last in zip([0, *(gaps + 1)], [*gaps, len(different) - 1], strict=True):
            start, stop = different[first] - context, different[last] + context + 1
            yield slice(max(0, int(start)), min(len(self.path), int(stop)))

    def edits(self) -> Iterator[dict[str, Any]]:
        """Each difference as an object for `json.dumps`: the label and the times on either side, None where it has
        none."""
        for step in np.flatnonzero(~self.path.equal):
            yield {"a": _to_json(self.a, self.path.a[step]), "b": _to_json(self.b, self.path.b[step])}


@dataclass(frozen=True, eq=False)
class LineDiff:
    """The differences of a line or clip. a, b: its two sides. equal: whether their sequences are the same."""

    a: Inspected
    b: Inspected
    streams: tuple[StreamDiff, ...]
    equal: bool

    @property
    def only_times_differ(self) -> bool:
        """Whether the sides have the same runs and texts, but not with the same repeats or in the same order."""
        return not self.equal and not any(stream.counts.distance for stream in self.streams)

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        streams = {
            stream.name: stream.counts.to_json() | {"edits": list(stream.edits())} for stream in self.streams
        }
        return {"a": self.a.id, "b": self.b.id, "equal": self.equal, "streams": streams}


def diff_inspected(a: Inspected, b: Inspected) -> LineDiff:
    """Compare two clips or token lines.

    A stream that one side lacks is as one without units. If one of the two has no repeats, those of the other don't
    count as differences.
    """
    one, other = a.timeline, b.timeline
    exact = not (one.predicted or other.predicted)
    streams = []
    for name, kind in STREAMS.items():
        side_a, side_b = (
            _words(timeline) if kind is None else _runs(timeline.lane(kind)) for timeline in (one, other)
        )
        if side_a.labels or side_b.labels:
            frames = _frames(one, other, kind) if exact and kind else (0, 0)
            streams.append(_diff_sides(name, side_a, side_b, frames))
    if one.predicted == other.predicted:
        equal = a.sequence == b.sequence
    else:
        equal = _without_repeats(a.sequence) == _without_repeats(b.sequence)
    return LineDiff(a, b, tuple(streams), equal)


def _diff_sides(name: str, a: StreamSide, b: StreamSide, frames: tuple[int, int]) -> StreamDiff:
    path = edit_path(a.labels, b.labels)
    counts = Counts(len(a.labels), path.substitutions, path.insertions, path.deletions, *frames)
    return StreamDiff(name, a, b, path, counts)


def _runs(lane: Lane | None) -> StreamSide:
    if lane is None:
        return StreamSide((), np.empty(0), np.empty(0))
    prefix = lane.kind.value
    return StreamSide(tuple(f"{prefix}{unit}" for unit in lane.ids.tolist()), lane.starts, lane.ends)


def _words(timeline: Timeline) -> StreamSide:
    words = [(word, mark.seconds) for mark in timeline.texts for word in _WORD.findall(mark.text)]
    seconds = np.array([seconds for _, seconds in words], dtype=np.float64)
    return StreamSide(tuple(word for word, _ in words), seconds, seconds)


def _frames(a: Timeline, b: Timeline, kind: Kind) -> tuple[int, int]:
    """The number of frames of 40 ms of the longer side, and how many of them differ or are on one side only."""
    sides = [_sampled(timeline, kind) for timeline in (a, b)]
    common = min(map(len, sides))
    different = int((sides[0][:common] != sides[1][:common]).sum())
    return max(map(len, sides)), different + max(map(len, sides)) - common


def _sampled(timeline: Timeline, kind: Kind) -> NDArray[np.int64]:
    lane = timeline.lane(kind)
    if lane is None or not len(lane):
        return np.empty(0, dtype=np.int64)
    return lane.sample(HUBERT_RATE, timeline.seconds)


def _without_repeats(sequence: Sequence) -> Sequence:
    """The sequence with the runs of phonetic and pitch units merged, as `merge_streams` does."""
    return Sequence.of(_merged(span) for span in sequence.spans)


def _merged(span: Span) -> Span:
    if isinstance(span, TextSpan):
        return span
    last: dict[Kind, int] = {}
    units: list[Unit] = []
    for unit in span.units:
        if unit.kind is Kind.STYLE or last.get(unit.kind) != unit.id:
            units.append(unit)
        last[unit.kind] = unit.id
    return SpeechSpan(tuple(units))


def _to_json(side: StreamSide, index: int) -> dict[str, Any] | None:
    if index == NONE:
        return None
    start, end = float(side.starts[index]), float(side.ends[index])
    return {"label": side.labels[index], "start": round(start, 3), "end": round(end, 3)}


class DiffTotals:
    """The differences of all lines together.

    lines: that both sides have; different: of these. only_a, only_b: lines that one side lacks. counts: by stream.
    confusions: by stream, how often a unit of A is replaced by one of B, as (A, B).
    """

    def __init__(self) -> None:
        self.lines = self.different = self.only_a = self.only_b = 0
        self.counts: dict[str, Counts] = {}
        self.confusions: dict[str, Counter[tuple[str, str]]] = {}

    def add(self, diff: LineDiff) -> None:
        """Count the differences of a line."""
        self.lines += 1
        self.different += not diff.equal
        for stream in diff.streams:
            self.counts[stream.name] = self.counts.get(stream.name, Counts()) + stream.counts
            if stream.name != "text":
                self.confusions.setdefault(stream.name, Counter()).update(stream.substitutions())

    @property
    def equal(self) -> bool:
        """Whether both sides have the same lines."""
        return not (self.different or self.only_a or self.only_b)

    def most_confused(self, name: str, count: int) -> list[tuple[str, str, int]]:
        """The pairs of units (A, B) that replace each other most often in a stream, and how often, most frequent first;
        pairs that are as frequent by their names."""
        pairs = sorted(self.confusions.get(name, Counter()).items(), key=lambda item: (-item[1], item[0]))
        return [(a, b, times) for (a, b), times in pairs[:count]]

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        streams = {}
        for name in sorted(self.counts, key=list(STREAMS).index):
            pairs = self.most_confused(name, 50)
            confusions = [{"a": a, "b": b, "count": count} for a, b, count in pairs]
            streams[name] = self.counts[name].to_json() | {"confusions": confusions}
        return {
            "equal": self.equal,
            "lines": self.lines,
            "different": self.different,
            "only_in_a": self.only_a,
            "only_in_b": self.only_b,
            "streams": streams,
        }
