"""Three streams of units to one line in time order, and back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.units import FrameUnits, IntArray, Kind, Rates, Unit, Units


@dataclass(frozen=True, eq=False)
class TimedUnits:
    """Units in time order and when each begins. seconds: (len(units),) float64."""

    units: tuple[Unit, ...]
    seconds: NDArray[np.float64]


def timed_units(units: Units, keep_repeats: bool = False) -> TimedUnits:
    """The streams as one, sorted by time; on ties style, then pitch, then phonetic units.

    Token i of a stream is at i / rate seconds. Unless repeats are kept, a run of equal phonetic or of equal
    pitch units is replaced by its first, with its time; style units all stay.
    """
    found: list[Unit] = []
    times: list[NDArray[np.float64]] = []
    for kind, ids, rate in _streams(units):
        kept = np.ones(len(ids), dtype=bool)
        if not keep_repeats and kind is not Kind.STYLE:
            kept[1:] = ids[1:] != ids[:-1]
        found.extend(Unit(kind, number) for number in ids[kept].tolist())
        times.append(np.flatnonzero(kept) / rate)
    seconds = np.concatenate(times)
    order = np.argsort(seconds, kind="stable")
    return TimedUnits(tuple(found[place] for place in order), seconds[order])


def merge_streams(units: Units, keep_repeats: bool = False) -> SpeechSpan:
    """The streams as one speech span in time order (see `timed_units`)."""
    return SpeechSpan(timed_units(units, keep_repeats).units)


class StreamMerger:
    """`merge_streams` of a sound that is heard a stretch at a time: units come out as soon as none can come before."""

    def __init__(self, keep_repeats: bool = False) -> None:
        self._keep_repeats = keep_repeats
        self._heard: dict[Kind, int] = {}
        self._last: dict[Kind, int] = {}
        self._rates: dict[Kind, float] = {}
        self._waiting: list[tuple[float, Unit]] = []

    def add(self, units: Units) -> list[Unit]:
        """The streams of the next stretch. Returns the units that come before all of the one after it."""
        for kind, ids, rate in _streams(units):
            before = self._heard.get(kind, 0)
            for place, number in enumerate(ids.tolist(), before):
                if self._keep_repeats or kind is Kind.STYLE or number != self._last.get(kind):
                    self._waiting.append((place / rate, Unit(kind, number)))
                self._last[kind] = number
            self._heard[kind], self._rates[kind] = before + len(ids), rate
        self._waiting.sort(key=_time_order)
        end = min(count / self._rates[kind] for kind, count in self._heard.items())
        ready = [unit for seconds, unit in self._waiting if seconds < end]
        self._waiting = self._waiting[len(ready) :]
        return ready

    def finish(self) -> list[Unit]:
        """What is left when nothing comes any more."""
        return [unit for _, unit in self._waiting]


_ORDER = {Kind.STYLE: 0, Kind.PITCH: 1, Kind.HUBERT: 2}


def _time_order(timed: tuple[float, Unit]) -> tuple[float, int]:
    return timed[0], _ORDER[timed[1].kind]


def _streams(units: Units) -> list[tuple[Kind, IntArray, float]]:
    """The streams that there are, with their rates, in the order that they have at one time."""
    streams = (
        (Kind.STYLE, units.style, units.rates.style),
        (Kind.PITCH, units.pitch, units.rates.pitch),
        (Kind.HUBERT, units.hubert, units.rates.hubert),
    )
    return [(kind, ids, rate) for kind, ids, rate in streams if ids is not None]


def restore_streams(span: SpeechSpan, rates: Rates | None = None) -> Units:
    """The streams of a span that was written with its repeats; a stream with no unit in it is None.

    Exact only for `keep_repeats` spans: otherwise the runs that were merged stay so.
    """
    pitch = _ids(span.units, Kind.PITCH)
    style = _ids(span.units, Kind.STYLE)
    return Units(
        hubert=_ids(span.units, Kind.HUBERT),
        pitch=pitch if len(pitch) else None,
        style=style if len(style) else None,
        rates=rates or Rates(),
    )


def frame_units(units: Sequence[Unit], default_style: int | None = None) -> FrameUnits:
    """For every phonetic unit the pitch and style unit that hold with it.

    Each takes the last pitch (style) unit before it; those before the first take the first. Where there are
    pitch units and no style units, all take `default_style`. A stream that is still missing is None: both for
    phonetic units alone, pitch for a line that has style only.
    Returns FrameUnits of as many entries as `units` has phonetic units (none at all gives empty arrays).
    """
    kinds = np.array([unit.kind.value for unit in units], dtype="<U2")
    at = np.flatnonzero(kinds == Kind.HUBERT.value)
    hubert = _ids(units, Kind.HUBERT)
    pitch = _held(_ids(units, Kind.PITCH), np.flatnonzero(kinds == Kind.PITCH.value), at)
    style = _held(_ids(units, Kind.STYLE), np.flatnonzero(kinds == Kind.STYLE.value), at)
    if pitch is not None and style is None and default_style is not None:
        style = np.full(len(hubert), default_style, dtype=np.int64)
    return FrameUnits(hubert, pitch, style)


def _ids(units: Sequence[Unit], kind: Kind) -> IntArray:
    return np.array([unit.id for unit in units if unit.kind is kind], dtype=np.int64)


def _held(ids: IntArray, places: NDArray[np.intp], at: NDArray[np.intp]) -> IntArray | None:
    """ids: (n,), standing at `places` (n,) of the line. Returns the one in force at each place of `at`."""
    if not len(ids):
        return None
    before = np.searchsorted(places, at) - 1
    return ids[np.maximum(before, 0)]
