"""Units of speech per frame with word boundaries, from which parallel pairs are cut."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.interleaving.word_units import timed_words, unit_boundaries
from spiritlm_cli.tokens.sequence import SpeechSpan
from spiritlm_cli.tokens.timeline import timed_units
from spiritlm_cli.tokens.units import IntArray, Units

_PITCH_FRAMES, _STYLE_FRAMES = 2, 25


def frame_streams(units: Units) -> IntArray:
    """Repeat the units of all streams at 25 Hz.

    Returns (3, frames) int64: phonetic, pitch and style unit of each 40 ms frame; −1 for a missing stream.
    """
    frames = len(units.hubert)
    streams = np.full((3, frames), -1, dtype=np.int64)
    streams[0] = units.hubert
    for row, ids, length in ((1, units.pitch, _PITCH_FRAMES), (2, units.style, _STYLE_FRAMES)):
        if ids is not None and len(ids):
            streams[row] = ids[np.minimum(np.arange(frames) // length, len(ids) - 1)]
    return streams


@dataclass(frozen=True, eq=False)
class AlignedUnits:
    """Units of a stretch of speech with its words.

    frames: (3, frames) int64, as from `frame_streams`. words: each without spaces around it. bounds: (words + 1,)
    int64, the first frame of each word, then the number of frames; starts with 0.
    """

    frames: IntArray
    words: tuple[str, ...]
    bounds: IntArray

    @classmethod
    def of(cls, utterance: Utterance) -> "AlignedUnits":
        """Create from an utterance with word times.

        Raises ValueError if there are no word times, AlignmentError if they don't have the words of the text.
        """
        if utterance.alignment is None:
            raise ValueError(f"{utterance.id} has no word times")
        words = timed_words(utterance.text, utterance.alignment)
        texts = tuple(" ".join(word.text.split()) for word in words)
        return cls(frame_streams(utterance.units), texts, unit_boundaries(utterance.units, words))

    @classmethod
    def join(cls, parts: Iterable["AlignedUnits"]) -> "AlignedUnits":
        """Concatenate stretches."""
        parts = list(parts)
        offsets = np.cumsum([0, *(part.frames.shape[1] for part in parts)])
        bounds = [part.bounds[:-1] + offset for part, offset in zip(parts, offsets, strict=False)]
        return cls(
            np.concatenate([part.frames for part in parts], axis=1),
            tuple(word for part in parts for word in part.words),
            np.concatenate([*bounds, offsets[-1:]]),
        )

    def __len__(self) -> int:
        """Number of words."""
        return len(self.words)

    @property
    def text(self) -> str:
        """The words, separated by spaces."""
        return " ".join(self.words)

    def cut(self, first: int, stop: int) -> "AlignedUnits":
        """Return words `first` to `stop` − 1. May have no frames, because a word may be shorter than a frame."""
        bounds = self.bounds[first : stop + 1]
        return AlignedUnits(
            self.frames[:, bounds[0] : bounds[-1]], self.words[first:stop], bounds - bounds[0]
        )

    def phonetic(self) -> "AlignedUnits":
        """Return a copy without pitch and style units."""
        frames = self.frames.copy()
        frames[1:] = -1
        return AlignedUnits(frames, self.words, self.bounds)

    def units(self) -> Units:
        """Return the units at the rate of each stream."""
        hubert, pitch, style = self.frames
        return Units(
            hubert,
            pitch[::_PITCH_FRAMES] if len(pitch) and pitch[0] >= 0 else None,
            style[::_STYLE_FRAMES] if len(style) and style[0] >= 0 else None,
        )

    def speech(self) -> tuple[SpeechSpan, IntArray]:
        """Return the units in time order with runs merged, and the index of each unit's word, (units,) int64."""
        timed = timed_units(self.units())
        frames = np.floor(timed.seconds * 25 + 1e-6)
        return SpeechSpan(timed.units), np.searchsorted(self.bounds[1:-1], frames, side="right")
