"""Repetition within texts and between them: self-BLEU, auto-BLEU and VERT.

Sources: Lakhotia et al. 2021, "On Generative Spoken Language Modeling from Raw Audio" (GSLM) for all three, in the form
of its evaluation in fairseq; the form of auto-BLEU of slamkit, for comparison with results that are computed by it.
"""

import re
from collections import Counter
from collections.abc import Sequence
from math import prod, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from spiritlm_cli.third_party import needs_extra

TokenKind = Literal["regex", "nltk"]

_WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def split_words(text: str, kind: TokenKind = "regex") -> list[str]:
    """The words and punctuation marks of a text, in its case.

    regex: letters and digits, or one other character. nltk: those of NLTK's word tokenizer, of each sentence; a
    sentence ends at a period, a question or an exclamation mark and a space. Raises MissingPackageError without NLTK.
    """
    if kind == "regex":
        return _WORD_OR_MARK.findall(text)
    with needs_extra("nltk", extra="evaluate", purpose="its word tokens"):
        from nltk.tokenize import NLTKWordTokenizer
    tokenize = NLTKWordTokenizer().tokenize
    return [word for sentence in _SENTENCE_END.split(text) for word in tokenize(sentence)]


def self_bleu(texts: Sequence[Sequence[str]], n: int = 2) -> list[float]:
    """BLEU-n of each text against all others, without a brevity penalty: high if the texts are alike.

    texts: words of each. It is the geometric mean over k ≤ n of the clipped precision of k-grams: of each distinct
    k-gram, as many count as a single other text has at most. 0 if one of the precisions is 0.
    """
    precisions = [_precisions(texts, k) for k in range(1, n + 1)]
    return [prod(of_text) ** (1 / n) for of_text in zip(*precisions, strict=True)]


def auto_bleu(words: Sequence[str], n: int = 2) -> float:
    """auto-BLEU-n of a text: high if it repeats itself.

    It is the geometric mean over k ≤ n of the share of k-grams that are there again to the left or to the right without
    overlapping. 0 for a text of one word or none.
    """
    return prod(_repeated_share(words, k, distance=k) for k in range(1, n + 1)) ** (1 / n) if words else 0.0


def auto_bleu_slamkit(words: Sequence[str], n: int = 2) -> float:
    """The share of n-grams that are there at another position, which may overlap, as slamkit computes auto-BLEU."""
    return _repeated_share(words, n, distance=1)


def vert(self_bleus: ArrayLike, auto_bleus: ArrayLike) -> float:
    """VERT: the geometric mean of the mean self-BLEU-2 and the mean auto-BLEU-2 of a corpus, as fractions."""
    return sqrt(np.asarray(self_bleus, float).mean() * np.asarray(auto_bleus, float).mean())


def _ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def _repeated_share(words: Sequence[str], n: int, distance: int) -> float:
    """The share of n-grams of which there is an equal one at least `distance` words before or after."""
    ngrams = _ngrams(words, n)
    first: dict[tuple[str, ...], int] = {}
    last: dict[tuple[str, ...], int] = {}
    for position, ngram in enumerate(ngrams):
        first.setdefault(ngram, position)
        last[ngram] = position
    repeated = sum(
        position - first[ngram] >= distance or last[ngram] - position >= distance
        for position, ngram in enumerate(ngrams)
    )
    return repeated / len(ngrams) if ngrams else 0.0


def _precisions(texts: Sequence[Sequence[str]], n: int) -> list[float]:
    """The clipped precision of the n-grams of each text, with all others as references."""
    counts = [Counter(_ngrams(words, n)) for words in texts]
    # Of each n-gram, its two largest numbers in a text: of the text with the largest, the other one is the reference.
    largest: dict[tuple[str, ...], list[int]] = {}
    for count in counts:
        for ngram, number in count.items():
            largest[ngram] = sorted([*largest.get(ngram, [0, 0]), number])[-2:]
    precisions = []
    for count in counts:
        clipped = sum(
            min(number, largest[ngram][0] if number == largest[ngram][1] else largest[ngram][1])
            for ngram, number in count.items()
        )
        precisions.append(clipped / total if (total := count.total()) else 0.0)
    return precisions
