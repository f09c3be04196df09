"""The words of an alignment: where they stand in the transcript, and which units are theirs."""

import re
from itertools import pairwise

import numpy as np

from spiritlm_cli.audio.clip import Alignment
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.tokens.units import IntArray, Units


def word_texts(text: str, alignment: Alignment) -> tuple[str, ...]:
    """The transcript, cut before each word of the alignment; joined, the parts are `text`.

    A part is a word in the transcript's own spelling, with its punctuation and the spaces after it; the first
    has the spaces before it too. Words are compared by their letters and digits, in any case. A token of the
    text that has none, such as a dash, goes with the word before it unless the alignment lists it. Raises
    AlignmentError where the two don't have the same words.
    """
    words = alignment.words
    starts: list[int] = []
    for token in re.finditer(r"\S+", text):
        said = _letters(token[0])
        if len(starts) < len(words) and said == _letters(words[len(starts)].word):
            starts.append(token.start())
        elif said:
            expected = repr(words[len(starts)].word) if len(starts) < len(words) else "at its end"
            raise AlignmentError(f"the text has {token[0]!r} where the alignment is {expected}")
    if len(starts) < len(words):
        raise AlignmentError(f"the text ends where the alignment has {words[len(starts)].word!r}")
    if not starts:
        raise AlignmentError("no words")
    return tuple(text[start:stop] for start, stop in pairwise([0, *starts[1:], len(text)]))


def _letters(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


def first_units(units: Units, alignment: Alignment) -> IntArray:
    """Where the phonetic units of each word begin.

    A unit belongs to the word whose time holds its centre; in a silence, to the word before it, and before
    the first word to that. Returns (words + 1,) int64: word i has the units from [i] to before [i + 1].
    Raises AlignmentError where the words are not in the order of time.
    """
    starts = np.array([word.start for word in alignment.words])
    if not np.all(np.isfinite(starts)) or np.any(np.diff(starts) < 0):
        raise AlignmentError("the alignment's words are not in the order of time")
    # the rate that puts units in order is a hair below the true one, which matters in a long recording
    rate = round(units.rates.hubert, 1)
    centres = (np.arange(len(units.hubert)) + 0.5) / rate
    bounds = np.searchsorted(centres, starts[1:])
    return np.concatenate([[0], bounds, [len(centres)]]).astype(np.int64)
