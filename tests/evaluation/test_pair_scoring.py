from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from pair_fixtures import LetterScorer, compare, pair, text_candidate

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.evaluation.pair_scoring import PairScorer
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Pair, Unpaired
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import Score
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

T = TypeVar("T")


def test_score_stream_keeps_order_and_isolates_errors() -> None:
    entries = [
        pair("a", "b"),
        BadPair("broken", "a.tsv: line 2", ManifestError("a.tsv: line 2: broken")),
        pair("a", "b!"),
        Unpaired("single", "c.wav", text_candidate("c")),
        pair("b", "a"),
    ]
    scored = list(PairScorer(LetterScorer()).score_stream(entries))
    assert [one.entry for one in scored] == entries
    with pytest.raises(ManifestError, match="line 2: broken"):
        scored[1].comparison()
    with pytest.raises(TokenError, match=r"of b!: too loud"):
        scored[2].comparison()
    assert scored[3].comparison() is None
    assert scored[3].to_record()["good"] == [{"name": "c", "log_likelihood": -2.0, "tokens": 1, "mean": -2.0}]
    assert [one.comparison().by_mean for one in (scored[0], scored[4])] == [1.0, 0.0]  # type: ignore[union-attr]


def test_score_stream_yields_leading_bad_pairs_first() -> None:
    bad = BadPair("broken", "a.tsv: line 2", ManifestError("a.tsv: line 2: broken"))
    taken = []

    def entries() -> Iterator[BadPair | Pair]:
        yield bad
        taken.append("a pair")
        yield pair("a", "b")

    scored = PairScorer(LetterScorer()).score_stream(entries())
    assert next(scored).entry == bad
    assert taken == []
    assert [one.entry.id for one in scored] == ["a-b"]


def test_nan_likelihood_is_an_error() -> None:
    class Overflown(LetterScorer):
        def score_stream(
            self,
            items: Iterable[T],
            sequence: Callable[[T], Sequence],
            given: Callable[[T], Sequence | None] | None = None,
        ) -> Iterator[tuple[T, Outcome[Score]]]:
            for item, _ in super().score_stream(items, sequence, given):
                yield item, Outcome([Score(float("nan"), 1)])

    (scored,) = PairScorer(Overflown()).score_stream([pair("a", "b")])
    with pytest.raises(TokenError, match="of a: the likelihood is not a number"):
        scored.comparison()


def test_clips_need_a_tokenizer(recording_file: Path) -> None:
    entry = Unpaired("single", "c.wav", Candidate("c", "c.wav", Clip("c", recording_file)))
    with pytest.raises(ValueError, match="tokenizer"):
        list(PairScorer(LetterScorer()).score_stream([entry]))


def test_score_stream_of_a_language_model(release_tree: Path) -> None:
    lm = LanguageModel.load(str(release_tree), device="cpu")
    (found,) = compare(pair("the cat", "cat the cat"), scorer=lm)
    assert found.good == (lm.score(Sequence.of([TextSpan("the cat")])),)
    assert found.by_mean == float(found.good[0].mean > found.bad[0].mean)
    given = Sequence.of([TextSpan("the cat")])
    (found,) = compare(pair(" sat", " sits", given=given), scorer=lm)
    assert found.good == (lm.score(Sequence.of([TextSpan(" sat")]), given),)
    # what doesn't fit into the context is that pair's error
    scored = list(PairScorer(lm).score_stream([pair("a", "the cat " * 4000), pair("a", "a")]))
    with pytest.raises(TokenError, match="context"):
        scored[0].comparison()
    even = scored[1].comparison()
    assert even
    assert (even.by_mean, even.by_sum) == (0.5, 0.5)
