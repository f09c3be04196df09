"""Texts as the labels of a CTC model."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.alignment.viterbi import IntArray
from spiritlm_cli.english.abbreviations import APOSTROPHES
from spiritlm_cli.english.verbalize import verbalize
from spiritlm_cli.errors import AlignmentError

# The words of one reading, each as the labels of its letters.
Spelling = list[list[int]]
# The alternative readings of one part of a token.
Part = list[Spelling]


@dataclass(frozen=True)
class Vocabulary:
    """The letters of a model, in the model's case, with their labels.

    delimiter: the label between words, or None if the model has none.
    """

    letters: Mapping[str, int]
    blank: int
    delimiter: int | None

    def parts(self, token: str, previous: str = "") -> list[Part]:
        """The spellings of one token of a text: for each part its alternative readings; empty for a token such as `--`.

        The readings are those of `verbalize`, which are English. A token with letters other than a-z is spelled as it
        is written, if that keeps at least as many of its letters. Letters that the model lacks are left out.

        previous: the token before. Raises AlignmentError if the model has no letter of a word.
        """
        parts = [
            [[self._labels(word) for word in reading] for reading in readings]
            for readings in verbalize(token, previous)
        ]
        words = _split_words(token)
        spelling = [self._labels(word) for word in words]
        if not "".join(words).isascii() and not any(map(str.isdigit, token)):
            verbalized = sum(len(word) for readings in parts for word in readings[0])
            if sum(map(len, spelling)) >= min(verbalized, len(self._to_case("".join(words)))):
                parts = [[spelling]]
        complete = [[reading for reading in readings if all(reading)] for readings in parts]
        if not all(complete):
            raise AlignmentError(f"{token!r} has a word of which the model has no letter")
        return complete

    def _labels(self, word: str) -> list[int]:
        # An apostrophe at the edge of a word is silent, and may be a quotation mark.
        return [self.letters[letter] for letter in self._to_case(word.strip("'")) if letter in self.letters]

    def _to_case(self, word: str) -> str:
        if sum(map(str.isupper, self.letters)) > sum(map(str.islower, self.letters)):
            return word.upper()
        # ß if the model has it, else ss.
        return "".join(letter if letter in self.letters else letter.casefold() for letter in word.lower())


@dataclass(frozen=True, eq=False)
class TargetLabels:
    """A text as CTC labels.

    targets: (n,) int64, labels of letters and of the delimiters between words. is_letter: (n,) bool. spans: for each
    token, the index in `targets` of its first letter and the index after its last, or None if it has no letters.
    """

    targets: IntArray
    is_letter: NDArray[np.bool_]
    spans: tuple[tuple[int, int] | None, ...]

    @classmethod
    def of(cls, tokens: list[list[Spelling]], delimiter: int | None) -> "TargetLabels":
        """Join tokens, each given as the spellings of its parts, with a delimiter between words."""
        targets: list[int] = []
        spans: list[tuple[int, int] | None] = []
        for parts in tokens:
            starts = []
            for word in (word for spelling in parts for word in spelling):
                targets += [delimiter] if targets and delimiter is not None else []
                starts.append(len(targets))
                targets += word
            spans.append((starts[0], len(targets)) if starts else None)
        array = np.array(targets, dtype=np.int64)
        return cls(array, array != (-1 if delimiter is None else delimiter), tuple(spans))


def _split_words(token: str) -> list[str]:
    """The words of a token in any script: letters with their marks, and apostrophes."""
    composed = unicodedata.normalize("NFC", token.translate(APOSTROPHES))
    kept = (
        character if unicodedata.category(character)[0] in "LM" or character == "'" else " "
        for character in composed
    )
    return [word for word in "".join(kept).split() if word.strip("'")]
