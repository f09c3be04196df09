"""What travels from files to models: waveforms, clips (a stretch of a file), and the words said in them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.errors import ManifestError

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound. samples: (samples,) float32, full scale ±1; rate: samples a second."""

    samples: FloatArray
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Word:
    """One word and when it is said, in seconds from the start of its clip.

    confidence: how well it fits the sound there, 0 to 1, where that is known.
    """

    word: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True)
class Alignment:
    """The words of a clip, in the order of time; none begins before the one before it ends.

    `AlignmentBuilder` makes it so of words from elsewhere. notes: what was repaired for that, to be said to people.
    """

    words: tuple[Word, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Transcript:
    """What is said in a clip: its text, and its words with their times; None where that is not known."""

    text: str | None
    alignment: Alignment | None


@dataclass(frozen=True)
class Clip:
    """A file, or the stretch from `start` to `end` seconds of it (None: its own), and what is known of it.

    `source` is a path, or "-" for standard input.
    """

    id: str
    source: Path | str
    start: float | None = None
    end: float | None = None
    text: str | None = None
    speaker: str | None = None
    alignment: Alignment | None = None


@dataclass(frozen=True)
class BadClip:
    """A row of a manifest that can't be used, and why. id: its own, or its line's number.

    `source` is the manifest.
    """

    id: str
    source: Path | str
    error: ManifestError
