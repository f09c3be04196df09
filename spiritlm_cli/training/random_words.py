"""Random words in texts for unit selection, so that a transcript can't be guessed from the words before."""

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Sequence

# A word is drawn with a probability proportional to its count raised to this, so that rare words are often heard.
_FLATTENING = 0.4
_PUNCTUATION = ".,;:!?\"'()[]“”‘’—-"


class RandomWords:
    """Replaces words by random words of the same texts.

    Simple texts are easy to guess: after "Once upon a", little is learned by listening. Words in unlikely places are
    learned from their sound.
    """

    def __init__(self, texts: Iterable[str], largest_share: float) -> None:
        """largest_share: of the words of a text, 0 to 1; each text has a share drawn uniformly from 0 to it."""
        counts = Counter(
            word.lower() for text in texts for token in text.split() if (word := _divide(token)[1])
        )
        self._largest_share = largest_share
        self._words = list(counts)
        self._weights = list(itertools.accumulate(count**_FLATTENING for count in counts.values()))

    def __call__(self, words: Sequence[str], rng: random.Random) -> list[str]:
        """Replace random words. Punctuation stays, and so does the case of the first letter."""
        share = rng.random() * self._largest_share
        return [self._other(word, rng) if rng.random() < share else word for word in words]

    def _other(self, token: str, rng: random.Random) -> str:
        before, word, after = _divide(token)
        if not word or not self._words:
            return token
        drawn = rng.choices(self._words, cum_weights=self._weights)[0]
        return before + (drawn[:1].upper() + drawn[1:] if word[0].isupper() else drawn) + after


def _divide(token: str) -> tuple[str, str, str]:
    """Divide into punctuation, a word and punctuation; the word is empty unless it has only letters and apostrophes."""
    word = token.strip(_PUNCTUATION)
    if not word.replace("'", "").replace("’", "").isalpha():
        return token, "", ""
    first = token.index(word)
    return token[:first], word, token[first + len(word) :]
