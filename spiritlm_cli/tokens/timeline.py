"""Merge the unit streams of a clip into one sequence in time order, and split it into streams again.

This is the only module that knows the rates of the streams, and the only one that merges runs of equal units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.tokens.sequence import Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import FrameUnits, IntArray, Kind, Unit, Units

# Units per second of each stream.
HUBERT_RATE = 25.0
PITCH_RATE = 12.5
STYLE_RATE = 1.0

# The published tokenizer computes the times of phonetic units with 24.99 Hz instead of 25 Hz. Each phonetic unit then
# sorts after the pitch and style units of the same frame.
_HUBERT_SORT_RATE = 24.99
_SORT_RATES = {Kind.STYLE: STYLE_RATE, Kind.PITCH: PITCH_RATE, Kind.HUBERT: _HUBERT_SORT_RATE}
# Order of units with equal times.
_RANKS = {kind: rank for rank, kind in enumerate(_SORT_RATES)}

# Speech kept its runs if more than this share of its phonetic units equal the unit before. With runs kept the share is
# about 1/4 for the published tokenizer, and for nano from 1/20 (noisy recordings) to 1/3. With runs merged it is 0,
# except for mistakes of a language model: nano makes up to 3 in 100 units.
REPEAT_THRESHOLD = 0.04
# Margins at which the decision no longer waits for more units: 20 pairs without a repeat reach the first, and three
# repeats among the first 20 pairs the second.
_MERGED_MARGIN = -20 * REPEAT_THRESHOLD
_KEPT_MARGIN = 3 - 20 * REPEAT_THRESHOLD


@dataclass(frozen=True, eq=False)
class TimedUnits:
    """Units in time order. seconds: (len(units),) float64, the start time of each unit."""

    units: tuple[Unit, ...]
    seconds: NDArray[np.float64]


def timed_units(units: Units, keep_repeats: bool = False) -> TimedUnits:
    """Sort the units of all streams by time; units with equal times in the order style, pitch, phonetic.

    Unit i of a stream has the time i / rate seconds, with the rates 1 (style), 12.5 (pitch) and 24.99 (phonetic).
    keep_repeats: False keeps only the first unit of each run of equal phonetic units and of equal pitch units, with
    its time. Style units are never merged.
    """
    merged: list[Unit] = []
    times: list[NDArray[np.float64]] = []
    for kind, ids in _streams(units):
        merge = not keep_repeats and kind is not Kind.STYLE
        frames = run_starts(ids) if merge else np.arange(len(ids))
        merged.extend(Unit(kind, unit_id) for unit_id in ids[frames].tolist())
        times.append(frames / _SORT_RATES[kind])
    seconds = np.concatenate(times)
    order = np.argsort(seconds, kind="stable")
    return TimedUnits(tuple(merged[index] for index in order), seconds[order])


def merge_streams(units: Units, keep_repeats: bool = False) -> SpeechSpan:
    """Return the units of all streams as one speech span, sorted and merged as by `timed_units`."""
    return SpeechSpan(timed_units(units, keep_repeats).units)


def run_starts(ids: IntArray) -> NDArray[np.intp]:
    """Return the index of the first element of each run of equal ids. ids: (n,)."""
    is_start = np.ones(len(ids), dtype=bool)
    is_start[1:] = ids[1:] != ids[:-1]
    return np.flatnonzero(is_start)


class StreamMerger:
    """Streaming form of `merge_streams`, for a clip that is encoded window by window.

    The results of all `add` calls and of `flush`, concatenated, are the units of `merge_streams` of the whole clip.
    """

    def __init__(self, keep_repeats: bool = False) -> None:
        self._keep_repeats = keep_repeats
        self._counts: dict[Kind, int] = {}
        self._last: dict[Kind, int] = {}
        self._pending: list[tuple[float, Unit]] = []

    def add(self, units: Units) -> list[Unit]:
        """Add the streams of the next window. Return the units that no unit of a later window can precede."""
        for kind, ids in _streams(units):
            start = self._counts.get(kind, 0)
            for frame, unit_id in enumerate(ids.tolist(), start):
                if self._keep_repeats or kind is Kind.STYLE or unit_id != self._last.get(kind):
                    self._pending.append((frame / _SORT_RATES[kind], Unit(kind, unit_id)))
                self._last[kind] = unit_id
            self._counts[kind] = start + len(ids)
        self._pending.sort(key=_sort_key)
        end = min(count / _SORT_RATES[kind] for kind, count in self._counts.items())
        ready = [unit for seconds, unit in self._pending if seconds < end]
        self._pending = self._pending[len(ready) :]
        return ready

    def flush(self) -> list[Unit]:
        """Return the remaining units, after the last window."""
        return [unit for _, unit in self._pending]


def restore_streams(span: SpeechSpan) -> Units:
    """Split a speech span into its streams, runs as they are in the span.

    Inverts `merge_streams(units, keep_repeats=True)`. The pitch or style stream is None if the span has none.
    """
    pitch = _ids(span.units, Kind.PITCH)
    style = _ids(span.units, Kind.STYLE)
    return Units(
        hubert=_ids(span.units, Kind.HUBERT),
        pitch=pitch if len(pitch) else None,
        style=style if len(style) else None,
    )


def frame_units(units: Sequence[Unit], default_style: int | None = None) -> FrameUnits:
    """Return, for each phonetic unit, the pitch unit and the style unit in force.

    These are the last ones before the phonetic unit, or the first ones after it if there are none before.
    default_style: style of all phonetic units if `units` has pitch units but no style units. A stream that is still
    missing is None. The arrays have one element for each phonetic unit; without phonetic units they are empty.
    """
    kinds = np.array([unit.kind.value for unit in units], dtype="<U2")
    positions = np.flatnonzero(kinds == Kind.HUBERT.value)
    hubert = _ids(units, Kind.HUBERT)
    pitch = _last_before(positions, _ids(units, Kind.PITCH), np.flatnonzero(kinds == Kind.PITCH.value))
    style = _last_before(positions, _ids(units, Kind.STYLE), np.flatnonzero(kinds == Kind.STYLE.value))
    if pitch is not None and style is None and default_style is not None:
        style = np.full(len(hubert), default_style, dtype=np.int64)
    return FrameUnits(hubert, pitch, style)


class RepeatDetector:
    """Decide whether speech kept its runs of equal phonetic units, from spans that arrive one after another.

    If it did, each phonetic unit lasts one frame, and no duration has to be predicted.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._pairs = 0
        self._repeats = 0

    def add(self, span: Span) -> None:
        """Count the repeats of the next span. A text span separates the units before and after it."""
        if isinstance(span, TextSpan):
            self._last = None
            return
        for unit in span.units:
            if unit.kind is Kind.HUBERT:
                if self._last is not None:
                    self._pairs += 1
                    self._repeats += unit.id == self._last
                self._last = unit.id

    @property
    def margin(self) -> float:
        """Repeat count minus the decision threshold; > 0 means that runs were kept."""
        return self._repeats - REPEAT_THRESHOLD * self._pairs

    @property
    def is_decided(self) -> bool:
        """Whether the margin is large enough to decide without the rest of the line."""
        return not _MERGED_MARGIN < self.margin < _KEPT_MARGIN


def _streams(units: Units) -> list[tuple[Kind, IntArray]]:
    """Return the streams that are present, in the order of units with equal times."""
    streams = ((Kind.STYLE, units.style), (Kind.PITCH, units.pitch), (Kind.HUBERT, units.hubert))
    return [(kind, ids) for kind, ids in streams if ids is not None]


def _sort_key(timed: tuple[float, Unit]) -> tuple[float, int]:
    return timed[0], _RANKS[timed[1].kind]


def _ids(units: Sequence[Unit], kind: Kind) -> IntArray:
    return np.array([unit.id for unit in units if unit.kind is kind], dtype=np.int64)


def _last_before(queries: NDArray[np.intp], ids: IntArray, positions: NDArray[np.intp]) -> IntArray | None:
    """Return the id at the last position before each query, or the first id if there is none before.

    queries: (m,) positions, ascending. ids: (n,), at `positions` (n,), ascending. Returns (m,), or None if n is 0.
    """
    if not len(ids):
        return None
    indices = np.searchsorted(positions, queries) - 1
    return ids[np.maximum(indices, 0)]
