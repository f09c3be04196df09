"""Speech units, alone and as the streams that the encoders give."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


class Kind(str, Enum):
    """What a unit says of the sound; the value is its spelling in a token line."""

    HUBERT = "Hu"
    PITCH = "Pi"
    STYLE = "St"


class Unit(NamedTuple):
    """One speech token, such as `[Hu28]`."""

    kind: Kind
    id: int

    def __str__(self) -> str:
        return f"[{self.kind.value}{self.id}]"


@dataclass(frozen=True)
class Rates:
    """Tokens a second of each stream, as used to put them in time order.

    Phonetic units come 25 a second; 24.99 makes them follow the pitch and style tokens they coincide with.
    """

    hubert: float = 24.99
    pitch: float = 12.5
    style: float = 1.0


@dataclass(frozen=True, eq=False)
class Units:
    """What the tokenizer hears in one clip: each stream at its own rate, runs not merged.

    hubert: (frames,) int64 at 25 Hz. pitch: (frames // 2,) at 12.5 Hz and style: (seconds,) at 1 Hz, or both
    None where only phonetic units were asked for.
    """

    hubert: IntArray
    pitch: IntArray | None = None
    style: IntArray | None = None
    rates: Rates = Rates()


@dataclass(frozen=True, eq=False)
class FrameUnits:
    """What the vocoder speaks: for every phonetic unit the pitch and style that hold with it.

    hubert, pitch, style: (units,) int64 each; pitch and style are None where the sequence has none.
    """

    hubert: IntArray
    pitch: IntArray | None = None
    style: IntArray | None = None
