"""The times and the units of the words of a transcript."""

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
    """A word of the transcript, with its punctuation and the spaces after it, and its times in seconds.

    Words that transcript and alignment divide differently are one TimedWord.
    """

    text: str
    start: float
    end: float


def timed_words(text: str, alignment: Alignment) -> tuple[TimedWord, ...]:
    """Divide the transcript into words with the times of the alignment. The words joined are `text`.

    Words are compared by letters and digits, without case and accents, so `Well,` matches `well`, `to-day` matches
    `to day`, and `can not` matches `cannot`. The first word includes the spaces before it. A token without letters and
    digits, such as a dash, belongs to the word before it, whether or not the alignment has it.

    Raises AlignmentError if text and alignment have different letters.
    """
    starts: list[int] = []
    times: list[tuple[float, float]] = []
    for start, first, last in _match_words(text, alignment):
        starts.append(start)
        times.append((alignment.words[first].start, alignment.words[last].end))
    if not starts:
        raise AlignmentError("no words")
    bounds = pairwise([0, *starts[1:], len(text)])
    return tuple(TimedWord(text[begin:end], *time) for (begin, end), time in zip(bounds, times, strict=True))


def _match_words(text: str, alignment: Alignment) -> Iterator[tuple[int, int, int]]:
    """Match words of the text with words of the alignment by their letters.

    Yields the position in `text` where a word starts, and the indices of its first and last word in the alignment.
    """
    words = [letters_and_digits(word.word) for word in alignment.words]
    index = 0  # of the next word of the alignment
    start = first = 0
    # Letters since the last position where a token and a word ended together.
    text_letters = aligned_letters = ""
    for token in re.finditer(r"\S+", text):
        letters = letters_and_digits(token[0])
        if not text_letters:
            if not letters:
                continue
            while index < len(words) and not words[index]:
                index += 1
            start, first = token.start(), index
        text_letters += letters
        while (
            len(aligned_letters) < len(text_letters)
            and text_letters.startswith(aligned_letters)
            and index < len(words)
        ):
            aligned_letters += words[index]
            index += 1
        if not aligned_letters.startswith(text_letters):
            raise AlignmentError(_difference(token[0], first, index, alignment))
        if aligned_letters == text_letters:
            yield start, first, index - 1
            text_letters = aligned_letters = ""
    unmatched = next((i for i in range(index, len(words)) if words[i]), None)
    if text_letters or unmatched is not None:
        word = alignment.words[index - 1 if unmatched is None else unmatched].word
        raise AlignmentError(f"the text ends where the alignment has {word!r}")


def _difference(token: str, first: int, stop: int, alignment: Alignment) -> str:
    """The message for a token that differs from words `first` to `stop` of the alignment."""
    if first >= len(alignment.words):
        return f"the text has {token!r} where the alignment is at its end"
    words = " ".join(word.word for word in alignment.words[first:stop])
    return f"the text has {token!r} where the alignment has {words!r} (word {first + 1})"


def letters_and_digits(word: str) -> str:
    """The letters and digits of a word without case and accents, by which words are compared."""
    decomposed = unicodedata.normalize("NFKD", word).casefold()
    return "".join(character for character in decomposed if character.isalnum())


def unit_boundaries(units: Units, words: tuple[TimedWord, ...]) -> IntArray:
    """The indices of the phonetic units where words begin.

    A unit belongs to the word that spans its center. Units in a silence belong to the word before it; units before
    the first word belong to the first word. Returns (words + 1,) int64: the units of word i are those from [i] up to
    but not including [i + 1].

    Raises AlignmentError if the words are not in order of time.
    """
    starts = np.array([word.start for word in words])
    if not np.all(np.isfinite(starts)) or np.any(np.diff(starts) < 0):
        raise AlignmentError("the alignment's words are not in order of time")
    centers = (np.arange(len(units.hubert)) + 0.5) / HUBERT_RATE
    bounds = np.searchsorted(centers, starts[1:])
    return np.concatenate([[0], bounds, [len(centers)]]).astype(np.int64)
