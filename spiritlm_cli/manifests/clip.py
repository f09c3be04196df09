"""Data types shared by all packages: waveforms, clips, transcripts and word alignments."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.errors import ManifestError

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono audio. samples: (samples,) float32, full scale ±1. rate: sampling rate in Hz."""

    samples: FloatArray
    rate: int

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Word:
    """A spoken word. start, end: seconds from the start of the clip.

    confidence: of the alignment, 0 to 1; None if unknown.
    """

    word: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True)
class Alignment:
    """The words of a clip in time order, without overlaps.

    notes: repairs that were made to words from a file (see `AlignmentBuilder`), for the user.
    """

    words: tuple[Word, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Transcript:
    """The text of a clip, and its words with their times; None for what is unknown."""

    text: str | None
    alignment: Alignment | None


@dataclass(frozen=True)
class Clip:
    """An audio file or an interval of it, and its annotations.

    source: path, or "-" for standard input. start, end: in seconds; None for the start and end of the file.
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
    """An invalid row of a manifest.

    id: of the row, or `line N` if it has no valid id. source: the manifest. error: what is wrong with the row.
    """

    id: str
    source: Path | str
    error: ManifestError
