"""Spans that grow, and what stops them: a text, the end of a sentence, a spoken word."""

import codecs
import re

from spiritlm_cli.tokens.sequence import Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit

# A mark that ends a sentence, with what closes around it, where more follows; titles have a full stop of their own.
_SENTENCE = re.compile(
    r"(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)[.!?\u2026]+[\"'\u201d\u2019)\]]*(?=\s)"
)

# How much of a spoken word's units may be others than those it was given by: no two times are quite the same.
_TOLERATED = 0.3


class GrowingText:
    """A text span that grows by bytes, of which some may yet turn out to be the beginning of what stops it."""

    def __init__(self, stop: tuple[str, ...], sentence: bool) -> None:
        self._stop, self._sentence = stop, sentence
        self._begin()

    def _begin(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._given = 0
        self._cut: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether it has come to what stops it."""
        return self._cut is not None

    @property
    def ends_sentence(self) -> bool:
        """Whether it would stop if it ended here."""
        return self._sentence and bool(_SENTENCE.search(self._text + " "))

    def add(self, content: bytes) -> None:
        """More of it: UTF-8, of which a character may be torn."""
        self._text += self._decoder.decode(content)
        cuts = [place for stop in self._stop if (place := self._text.find(stop)) >= 0]
        if self._sentence and (found := _SENTENCE.search(self._text)):
            cuts.append(found.end())
        self._cut = min(cuts, default=None)

    def certain(self) -> list[Span]:
        """What of it has not been given and can't be cut off any more."""
        held = max((_overlap(self._text, stop) for stop in self._stop), default=0)
        return self._give(len(self._text) - held if self._cut is None else self._cut)

    def finish(self) -> list[Span]:
        """The rest of it; another begins."""
        if self._cut is None:
            self._text += self._decoder.decode(b"", final=True)
        rest = self._give(len(self._text) if self._cut is None else self._cut)
        self._begin()
        return rest

    def _give(self, stop: int) -> list[Span]:
        part = self._text[self._given : stop]
        self._given = max(self._given, stop)
        return [TextSpan(part)] if part else []


class GrowingSpeech:
    """A speech span that grows by units, of which the last may yet turn out to be the word that stops it.

    The word is looked for as Sellers did (J. Algorithms 1, 1980): of all stretches that end with the latest phonetic
    unit, the one with the least edit distance to it.
    """

    def __init__(self, stop: tuple[int, ...]) -> None:
        """stop: phonetic ids of the word; none: nothing stops it."""
        self._stop = stop
        self._tolerated = int(_TOLERATED * len(stop))
        self._begin()

    def _begin(self) -> None:
        self._units: list[Unit] = []
        self._given = 0
        self._phonetic: list[int] = []  # the places of phonetic units
        # for each beginning of the word: how far the nearest stretch that ends here is from it, and where that starts
        self._distances = [(place, 0) for place in range(len(self._stop) + 1)]
        self._cut: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether it has come to what stops it."""
        return self._cut is not None

    def add(self, unit: Unit, stops: bool = True) -> None:
        """One unit more; stops: whether it may be the last of the word that stops it."""
        self._units.append(unit)
        if unit.kind is not Kind.HUBERT or not self._stop:
            return
        self._phonetic.append(len(self._units) - 1)
        before = self._distances
        found = [(0, len(self._phonetic))]
        for place, wanted in enumerate(self._stop, 1):
            skipped, start = before[place]
            missed, other = found[place - 1]
            same, first = before[place - 1]
            found.append(min((same + (wanted != unit.id), first), (skipped + 1, start), (missed + 1, other)))
        self._distances = found
        distance, start = found[-1]
        if stops and distance <= self._tolerated and start < len(self._phonetic):
            self._cut = self._phonetic[start]

    def certain(self) -> list[Span]:
        """What of it has not been given and can't be cut off any more."""
        if self._cut is not None:
            return self._give(self._cut)
        if not self._stop:
            return self._give(len(self._units))
        held = len(self._stop) + self._tolerated
        return self._give(self._phonetic[-held] if len(self._phonetic) >= held else 0)

    def finish(self) -> list[Span]:
        """The rest of it; another begins."""
        rest = self._give(len(self._units) if self._cut is None else self._cut)
        self._begin()
        return rest

    def _give(self, stop: int) -> list[Span]:
        part = self._units[self._given : stop]
        self._given = max(self._given, stop)
        return [SpeechSpan((unit,)) for unit in part]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text are a beginning of `stop`."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
