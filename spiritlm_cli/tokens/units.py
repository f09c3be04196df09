"""Speech units: one unit, the parallel streams of a clip, and the per-frame arrays of a vocoder."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


class Kind(str, Enum):
    """The stream a unit belongs to. The value is the prefix of its spelling in a token line."""

    HUBERT = "Hu"
    PITCH = "Pi"
    STYLE = "St"


class Unit(NamedTuple):
    """One speech token, such as `[Hu28]`."""

    kind: Kind
    id: int

    def __str__(self) -> str:
        return f"[{self.kind.value}{self.id}]"


@dataclass(frozen=True, eq=False)
class Units:
    """The unit streams of one clip, as the tokenizer encodes them: each at its own rate, runs not merged.

    hubert: (frames,) int64, 25 Hz. pitch: (frames // 2,) int64, 12.5 Hz. style: (seconds,) int64, 1 Hz.
    pitch and style are None for a tokenizer of phonetic units only.
    """

    hubert: IntArray
    pitch: IntArray | None = None
    style: IntArray | None = None


@dataclass(frozen=True, eq=False)
class FrameUnits:
    """The input of a vocoder: for each phonetic unit, the pitch unit and the style unit in force.

    hubert, pitch, style: (units,) int64. pitch and style are None if the sequence has none.
    """

    hubert: IntArray
    pitch: IntArray | None = None
    style: IntArray | None = None
