"""Random division of a sequence of words into spans of text and of speech."""

import random
from dataclasses import dataclass
from enum import Enum


class Mode(str, Enum):
    """The form of the sequence that is made of an utterance."""

    INTERLEAVE = "interleave"  # alternating spans of text and speech
    SPEECH = "speech"  # speech only
    TEXT = "text"  # text only
    ASR = "asr"  # all speech, then all text
    TTS = "tts"  # all text, then all speech


class Modality(str, Enum):
    """The modality of a span."""

    TEXT = "text"
    SPEECH = "speech"

    @property
    def other(self) -> "Modality":
        return Modality.SPEECH if self is Modality.TEXT else Modality.TEXT


@dataclass(frozen=True)
class SpanOptions:
    """How sequences are made of utterances.

    text_words, speech_words: minimum and maximum number of words of a span, by default those of the paper.
    keep_repeats: keep runs of equal units in speech spans, so that units keep their times.
    Raises ValueError for an invalid range.
    """

    mode: Mode = Mode.INTERLEAVE
    text_words: tuple[int, int] = (10, 30)
    speech_words: tuple[int, int] = (5, 15)
    keep_repeats: bool = False

    def __post_init__(self) -> None:
        for minimum, maximum in (self.text_words, self.speech_words):
            if not 1 <= minimum <= maximum:
                raise ValueError(f"a span can't have {minimum} to {maximum} words")

    def words(self, modality: Modality) -> tuple[int, int]:
        """Minimum and maximum number of words of a span."""
        return self.text_words if modality is Modality.TEXT else self.speech_words


@dataclass(frozen=True)
class WordSpan:
    """Words `first` up to but not including `stop`, as text or as speech."""

    modality: Modality
    first: int
    stop: int


def draw_spans(words: int, options: SpanOptions, rng: random.Random) -> tuple[WordSpan, ...]:
    """Divide a number of words at random into spans of alternating modality.

    The modality of the first span is drawn. Then the length of each span is drawn uniformly from those lengths in its
    range that leave no words, or enough words for a shortest span after it. If there is no such length, it is drawn
    from the whole range, and the last span may be shorter than its range.

    There are at least two spans, except for a single word: words that are too few for two shortest spans are divided
    at a position that is drawn uniformly. So no span is longer than its range, and only the last span, or both of two
    spans, can be shorter.
    """
    modality = rng.choice((Modality.TEXT, Modality.SPEECH))
    spans: list[WordSpan] = []
    first = 0
    while first < words:
        length = _draw_length(words - first, modality, not spans, options, rng)
        spans.append(WordSpan(modality, first, first + length))
        first += length
        modality = modality.other
    return tuple(spans)


def _draw_length(
    remaining: int, modality: Modality, is_first: bool, options: SpanOptions, rng: random.Random
) -> int:
    """Draw the number of words of the next span."""
    minimum, maximum = options.words(modality)
    next_minimum, next_maximum = options.words(modality.other)
    if is_first and remaining < minimum + next_minimum:
        lengths = [n for n in range(1, remaining) if n <= maximum and remaining - n <= next_maximum]
        return rng.choice(lengths or [remaining])
    lengths = [
        n
        for n in range(minimum, min(maximum, remaining) + 1)
        if remaining - n >= next_minimum or (n == remaining and not is_first)
    ]
    if lengths:
        return rng.choice(lengths)
    return remaining if remaining <= maximum else rng.randint(minimum, maximum)
