"""The words of a transcript: when each is said, and which units are its own."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Alignment
from spiritlm_cli.tokens.timeline import HUBERT_RATE
from spiritlm_cli.tokens.units import IntArray, Units


@dataclass(frozen=True)
class TimedWord:
    """A word as the transcript writes it, with its punctuation and the spaces after it, and when it is said.

    start, end: seconds. Where transcript and alignment divide words differently, what can't be parted is one.
    """

    text: str
    start: float
    end: float


def timed_words(text: str, alignment: Alignment) -> tuple[TimedWord, ...]:
    """The transcript cut into words, each with the times that the alignment has for it; joined, they are `text`.

    Both are compared by their letters and digits, without case and accents, so `Well,` is `well`, `to-day` is `to day`,
    and `can not` is `cannot`. Spaces before the first word go with it. A token of the text with no letter or digit,
    such as a dash, goes with the word before it, whether or not the alignment lists it.
    Raises AlignmentError where the two don't have the same letters.
    """
    starts: list[int] = []
    times: list[tuple[float, float]] = []
    for start, first, last in _matched(text, alignment):
        starts.append(start)
        times.append((alignment.words[first].start, alignment.words[last].end))
    if not starts:
        raise AlignmentError("no words")
    bounds = pairwise([0, *starts[1:], len(text)])
    return tuple(TimedWord(text[at:stop], *time) for (at, stop), time in zip(bounds, times, strict=True))


def _matched(text: str, alignment: Alignment) -> Iterator[tuple[int, int, int]]:
    """Where in `text` each word begins, and its first and last word of the alignment."""
    words = [letters_and_digits(word.word) for word in alignment.words]
    place = 0  # of the next word of the alignment
    start = first = 0
    written = spoken = ""  # letters since the last place where both had a word's end
    for token in re.finditer(r"\S+", text):
        letters = letters_and_digits(token[0])
        if not written:
            if not letters:
                continue
            while place < len(words) and not words[place]:
                place += 1
            start, first = token.start(), place
        written += letters
        while len(spoken) < len(written) and written.startswith(spoken) and place < len(words):
            spoken += words[place]
            place += 1
        if not (spoken.startswith(written) or written.startswith(spoken)) or len(spoken) < len(written):
            raise AlignmentError(_difference(token[0], first, place, alignment))
        if spoken == written:
            yield start, first, place - 1
            written = spoken = ""
    left = next((place for place in range(place, len(words)) if words[place]), None)
    if written or left is not None:
        word = alignment.words[place - 1 if left is None else left].word
        raise AlignmentError(f"the text ends where the alignment has {word!r}")


def _difference(token: str, first: int, place: int, alignment: Alignment) -> str:
    if first >= len(alignment.words):
        return f"the text has {token!r} where the alignment is at its end"
    found = " ".join(word.word for word in alignment.words[first:place])
    return f"the text has {token!r} where the alignment has {found!r} (word {first + 1})"


def letters_and_digits(word: str) -> str:
    """The letters and digits, by which words are compared."""
    plain = unicodedata.normalize("NFKD", word).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def unit_boundaries(units: Units, words: tuple[TimedWord, ...]) -> IntArray:
    """Where the phonetic units of each word begin.

    A unit belongs to the word whose time holds its centre; in a silence, to the word before it, and before
    the first word to that. Returns (words + 1,) int64: word i has the units from [i] to before [i + 1].
    Raises AlignmentError where the words are not in the order of time.
    """
    starts = np.array([word.start for word in words])
    if not np.all(np.isfinite(starts)) or np.any(np.diff(starts) < 0):
        raise AlignmentError("the alignment's words are not in the order of time")
    centres = (np.arange(len(units.hubert)) + 0.5) / HUBERT_RATE
    bounds = np.searchsorted(centres, starts[1:])
    return np.concatenate([[0], bounds, [len(centres)]]).astype(np.int64)
