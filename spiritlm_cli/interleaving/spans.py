"""How a sequence of words is divided into spans of text and of speech."""

import random
from dataclasses import dataclass
from enum import Enum


class Mode(str, Enum):
    """What is made of an utterance."""

    INTERLEAVE = "interleave"  # text and speech take turns
    SPEECH = "speech"  # speech alone
    TEXT = "text"  # text alone
    ASR = "asr"  # the whole in speech, then the whole in text
    TTS = "tts"  # the whole in text, then the whole in speech


class Modality(str, Enum):
    """What a span is made of."""

    TEXT = "text"
    SPEECH = "speech"

    @property
    def other(self) -> "Modality":
        return Modality.SPEECH if self is Modality.TEXT else Modality.TEXT


@dataclass(frozen=True)
class SpanOptions:
    """The mode, and how many words a span has: (least, most) for text and for speech, by default the paper's.

    keep_repeats: leave runs of equal units in the speech spans, for lines whose time must be kept.
    """

    mode: Mode = Mode.INTERLEAVE
    text_words: tuple[int, int] = (10, 30)
    speech_words: tuple[int, int] = (5, 15)
    keep_repeats: bool = False

    def __post_init__(self) -> None:
        for least, most in (self.text_words, self.speech_words):
            if not 1 <= least <= most:
                raise ValueError(f"a span can't have {least} to {most} words")

    def words(self, modality: Modality) -> tuple[int, int]:
        """The least and the most words of a span."""
        return self.text_words if modality is Modality.TEXT else self.speech_words


@dataclass(frozen=True)
class WordSpan:
    """Words `first` to before `stop`, in text or in speech."""

    modality: Modality
    first: int
    stop: int


def draw_spans(words: int, options: SpanOptions, rng: random.Random) -> tuple[WordSpan, ...]:
    """Divide a number of words into spans that take turns, at random.

    The first modality is drawn; then the length of each span, evenly from its range, of those lengths that
    leave nothing or enough for a shortest span after it. Where no length does, any of the range is taken and
    the last span is shorter than its range. There are always two spans at least: words too few for two
    shortest spans are parted at a place drawn evenly, and only a single word stays alone. So no span is
    longer than its range, and none is shorter but the last, or both of two.
    """
    modality = rng.choice((Modality.TEXT, Modality.SPEECH))
    spans: list[WordSpan] = []
    place = 0
    while place < words:
        length = _draw_length(words - place, modality, not spans, options, rng)
        spans.append(WordSpan(modality, place, place + length))
        place += length
        modality = modality.other
    return tuple(spans)


def _draw_length(left: int, modality: Modality, first: bool, options: SpanOptions, rng: random.Random) -> int:
    """Words of the next span, of those that are left."""
    least, most = options.words(modality)
    least_after, most_after = options.words(modality.other)
    if first and left < least + least_after:
        parts = [n for n in range(1, left) if n <= most and left - n <= most_after]
        return rng.choice(parts or [left])
    lengths = [
        n for n in range(least, min(most, left) + 1) if left - n >= least_after or (n == left and not first)
    ]
    if lengths:
        return rng.choice(lengths)
    return left if left <= most else rng.randint(least, most)
