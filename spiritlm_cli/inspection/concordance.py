"""All places where a unit, or a sequence of units, occurs: their times, the units around them, and the words."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np

from spiritlm_cli.errors import TokenError
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.timeline import Lane
from spiritlm_cli.tokens.units import Kind, Unit

T = TypeVar("T")

_UNIT = re.compile(r"\[?(Hu|Pi|St)(0|[1-9][0-9]{0,17})\]?")


def parse_units(text: str) -> tuple[Unit, ...]:
    """Parse units of one stream: `Hu28`, `Hu28 Hu5` or `[Hu28][Hu5]`.

    Raises TokenError for anything else, and for a unit that stands twice in succession, as runs are one unit.
    """
    parts = text.replace("][", "] [").split()
    matches = [_UNIT.fullmatch(part) for part in parts]
    units = tuple(Unit(Kind(match[1]), int(match[2])) for match in matches if match)
    if len(units) < len(parts) or not units:
        raise TokenError(f"units are written 'Hu28' or 'Hu28 Hu5', not {text[:80]!a}")
    if len({unit.kind for unit in units}) > 1:
        raise TokenError("give units of one stream, Hu, Pi or St")
    for unit, following in pairwise(units):
        if unit == following:
            raise TokenError(f"a run of {unit} is found as one unit; give it once")
    return units


@dataclass(frozen=True)
class Place:
    """One occurrence.

    id, source: of the clip or line. start, end: in seconds. predicted: whether these are as the vocoder would say it,
    since the runs of a token line were merged. before, units, after: without brackets, such as `Hu28`. words: those
    that are spoken there, empty if they are unknown.
    """

    id: str
    source: str
    start: float
    end: float
    predicted: bool
    before: tuple[str, ...]
    units: tuple[str, ...]
    after: tuple[str, ...]
    words: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return {
            "id": self.id,
            "source": self.source,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "times": "predicted" if self.predicted else "exact",
            "before": list(self.before),
            "units": list(self.units),
            "after": list(self.after),
            "words": list(self.words),
        }


def find_places(inspected: Inspected, units: tuple[Unit, ...], context: int) -> Iterator[Place]:
    """Yield the places of a sequence of units of one stream, in time order. Runs of equal units are one unit.

    context: number of units to either side. Places may overlap.
    """
    lane = inspected.timeline.lane(units[0].kind)
    last = 0 if lane is None else len(lane) - len(units) + 1
    if lane is None or last < 1:
        return
    matches = np.ones(last, dtype=bool)
    for offset, unit in enumerate(units):
        matches &= lane.ids[offset : last + offset] == unit.id
    for first in np.flatnonzero(matches).tolist():
        end = first + len(units)
        start_seconds, end_seconds = float(lane.starts[first]), float(lane.ends[end - 1])
        words = (
            word.word for word in inspected.words if word.start < end_seconds and word.end > start_seconds
        )
        yield Place(
            id=inspected.id,
            source=inspected.source,
            start=start_seconds,
            end=end_seconds,
            predicted=inspected.timeline.predicted,
            before=_labels(lane, first - context, first),
            units=_labels(lane, first, end),
            after=_labels(lane, end, end + context),
            words=tuple(words),
        )


def _labels(lane: Lane, first: int, last: int) -> tuple[str, ...]:
    return tuple(str(lane.unit(index))[1:-1] for index in range(max(0, first), min(len(lane), last)))


@dataclass
class PlaceCounts:
    """How often a sequence of units occurs. inputs: clips and lines that were searched; found: those that have it."""

    inputs: int = 0
    found: int = 0
    places: int = 0
    predicted: int = 0
    seconds: float = 0.0

    def add(self, places: list[Place]) -> None:
        """Count the places of an input."""
        self.inputs += 1
        self.found += bool(places)
        self.places += len(places)
        self.predicted += sum(place.predicted for place in places)
        self.seconds += sum(place.end - place.start for place in places)

    @property
    def mean_seconds(self) -> float | None:
        """Mean duration of a place."""
        return self.seconds / self.places if self.places else None

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        mean = self.mean_seconds
        return {
            "inputs": self.inputs,
            "inputs_with_it": self.found,
            "count": self.places,
            "predicted_times": self.predicted,
            "mean_seconds": None if mean is None else round(mean, 4),
        }


@dataclass
class Selection(Generic[T]):
    """Chooses which items of a stream are shown: all, the first `limit`, or with a seed a random `limit` of them.

    Random ones are chosen uniformly by reservoir sampling, with at most `limit` items in memory.
    """

    limit: int | None = None
    seed: int | None = None
    count: int = 0
    _kept: dict[int, T] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @property
    def is_drawn(self) -> bool:
        """Whether items are drawn at random, so that they are known at the end only."""
        return self.limit is not None and self.seed is not None

    def wants(self) -> bool:
        """Count the next item. Returns whether it is shown, or may be: `add` it then."""
        self.count += 1
        if self.limit is None or self.count <= self.limit:
            return True
        if self.seed is None:
            return False
        slot = self._random.randrange(self.count)
        if slot >= self.limit:
            return False
        del self._kept[sorted(self._kept)[slot]]
        return True

    def add(self, item: T) -> list[T]:
        """Take the item that was just counted. Returns the items that are certain to be shown now."""
        if not self.is_drawn:
            return [item]
        self._kept[self.count] = item
        return []

    def drawn(self) -> list[T]:
        """The items that were drawn, in the order of the stream."""
        return [self._kept[index] for index in sorted(self._kept)]
