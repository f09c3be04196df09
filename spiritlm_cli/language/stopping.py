"""Spans that arrive piece by piece, and what stops them: a text, the end of a sentence, a spoken word."""

import codecs
import re

from spiritlm_cli.tokens.sequence import Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit

# End-of-sentence punctuation with closing quotes and brackets, followed by white space; not the full stop of a title.
_SENTENCE_END = re.compile(
    r"(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)[.!?\u2026]+[\"'\u201d\u2019)\]]*(?=\s)"
)

# Edit distance to the stop word, relative to its length, up to which units match it: no two utterances are equal.
_MAX_RELATIVE_DISTANCE = 0.3


class StreamingText:
    """A text span that arrives as bytes. Text that may be the beginning of a stop text is held back."""

    def __init__(self, stop: tuple[str, ...], sentence: bool) -> None:
        """stop: texts that end the span before them. sentence: whether the end of a sentence ends it."""
        self._stop, self._sentence = stop, sentence
        self._reset()

    def _reset(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._emitted = 0
        self._end: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether a stop text or the end of a sentence was reached."""
        return self._end is not None

    @property
    def ends_sentence(self) -> bool:
        """Whether the text is a complete sentence if nothing follows it."""
        return self._sentence and bool(_SENTENCE_END.search(self._text + " "))

    def add(self, content: bytes) -> None:
        """Append UTF-8, which may end within a character."""
        self._text += self._decoder.decode(content)
        ends = [start for stop in self._stop if (start := self._text.find(stop)) >= 0]
        if self._sentence and (match := _SENTENCE_END.search(self._text)):
            ends.append(match.end())
        self._end = min(ends, default=None)

    def ready(self) -> list[Span]:
        """Return the text not yet returned that no stop text can still cut off."""
        held_back = max((_overlap(self._text, stop) for stop in self._stop), default=0)
        return self._emit(len(self._text) - held_back if self._end is None else self._end)

    def flush(self) -> list[Span]:
        """Return the rest of the span and start a new one."""
        if self._end is None:
            self._text += self._decoder.decode(b"", final=True)
        rest = self._emit(len(self._text) if self._end is None else self._end)
        self._reset()
        return rest

    def _emit(self, end: int) -> list[Span]:
        part = self._text[self._emitted : end]
        self._emitted = max(self._emitted, end)
        return [TextSpan(part)] if part else []


class StreamingSpeech:
    """A speech span that arrives unit by unit. Units that may belong to the stop word are held back.

    The word is matched by Sellers' algorithm (J. Algorithms 1, 1980): of all stretches that end with the latest
    phonetic unit, the one with the least edit distance to the word.
    """

    def __init__(self, stop: tuple[int, ...]) -> None:
        """stop: phonetic ids of the stop word; empty for none."""
        self._stop = stop
        self._max_distance = int(_MAX_RELATIVE_DISTANCE * len(stop))
        self._reset()

    def _reset(self) -> None:
        self._units: list[Unit] = []
        self._emitted = 0
        self._phonetic: list[int] = []  # indices of phonetic units in `_units`
        # for each prefix of the word: its distance to the nearest stretch that ends here, and where that starts
        self._distances = [(length, 0) for length in range(len(self._stop) + 1)]
        self._end: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether the stop word was reached."""
        return self._end is not None

    def add(self, unit: Unit, may_stop: bool = True) -> None:
        """Append a unit. may_stop: whether the stop word may end with it."""
        self._units.append(unit)
        if unit.kind is not Kind.HUBERT or not self._stop:
            return
        self._phonetic.append(len(self._units) - 1)
        previous = self._distances
        current = [(0, len(self._phonetic))]
        for length, expected in enumerate(self._stop, 1):
            inserted, inserted_start = previous[length]
            deleted, deleted_start = current[length - 1]
            replaced, replaced_start = previous[length - 1]
            current.append(
                min(
                    (replaced + (expected != unit.id), replaced_start),
                    (inserted + 1, inserted_start),
                    (deleted + 1, deleted_start),
                )
            )
        self._distances = current
        distance, start = current[-1]
        if may_stop and distance <= self._max_distance and start < len(self._phonetic):
            self._end = self._phonetic[start]

    def ready(self) -> list[Span]:
        """Return the units not yet returned that the stop word can't include, each as a span."""
        if self._end is not None:
            return self._emit(self._end)
        if not self._stop:
            return self._emit(len(self._units))
        longest_match = len(self._stop) + self._max_distance
        return self._emit(self._phonetic[-longest_match] if len(self._phonetic) >= longest_match else 0)

    def flush(self) -> list[Span]:
        """Return the rest of the span, each unit as a span, and start a new one."""
        rest = self._emit(len(self._units) if self._end is None else self._end)
        self._reset()
        return rest

    def _emit(self, end: int) -> list[Span]:
        part = self._units[self._emitted : end]
        self._emitted = max(self._emitted, end)
        return [SpeechSpan((unit,)) for unit in part]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest suffix of `text` that is a proper prefix of `stop`."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
