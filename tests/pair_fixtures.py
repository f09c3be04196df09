"""Pairs of texts and a scorer that counts letters, for the tests of `evaluation`."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import TokenError
from spiritlm_cli.evaluation.pair_scoring import PairScorer, SequenceScorer
from spiritlm_cli.evaluation.pairs import Candidate, Comparison, Pair
from spiritlm_cli.language.scoring import CountedTokens, Score
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

T = TypeVar("T")


class LetterScorer:
    """Scores each letter as a token: -1 for an `a`, -2 for others. Texts with `!` can't be scored."""

    def score_stream(
        self,
        items: Iterable[T],
        sequence: Callable[[T], Sequence],
        given: Callable[[T], Sequence | None] | None = None,
        counted: CountedTokens | None = None,
    ) -> Iterator[tuple[T, Outcome[Score]]]:
        def score(item: T) -> Score:
            text = sequence(item).text
            if "!" in text:
                raise TokenError("too loud")
            return Score(-float(sum(1 if letter == "a" else 2 for letter in text)), len(text))

        for item in items:
            yield item, Outcome.of(partial(score, item))


def text_candidate(text: str) -> Candidate:
    return Candidate(text, f"of {text}", Sequence.of([TextSpan(text)]))


def pair(good: str, bad: str, **fields: object) -> Pair:
    name = f"{good}-{bad}"
    return Pair(name, f"a.tsv: {name}", (text_candidate(good),), (text_candidate(bad),), **fields)  # type: ignore[arg-type]


def compare(*pairs: Pair, scorer: SequenceScorer | None = None) -> list[Comparison]:
    comparisons = [scored.comparison() for scored in PairScorer(scorer or LetterScorer()).score_stream(pairs)]
    return [comparison for comparison in comparisons if comparison]


def compare_scores(entry: Pair, good: tuple[float, int], *bad: tuple[float, int]) -> Comparison:
    """Compare sides with these log-likelihoods and numbers of tokens."""
    return Comparison.of(entry, (Score(*good),), tuple(Score(*score) for score in bad))
