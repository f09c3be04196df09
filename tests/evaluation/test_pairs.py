import json

import pytest
from pair_fixtures import compare, compare_scores, pair, text_candidate

from spiritlm_cli.evaluation.pairs import Pair


def test_comparison_by_mean_and_by_sum() -> None:
    longer, tie, shorter = compare(pair("aaaa", "b"), pair("ab", "ba"), pair("b", "aaa"))
    assert (longer.by_mean, longer.by_sum) == (1.0, 0.0)
    assert (tie.by_mean, tie.by_sum) == (0.5, 0.5)
    assert (shorter.by_mean, shorter.by_sum) == (0.0, 1.0)
    parsed = json.loads(json.dumps(longer.to_record()))
    assert parsed["good"] == [{"name": "aaaa", "log_likelihood": -4.0, "tokens": 4, "mean": -1.0}]
    assert (parsed["by_mean"], parsed["by_sum"]) == (1.0, 0.0)


def test_comparison_of_several_candidates() -> None:
    (found,) = compare(
        Pair(
            "p",
            "here",
            (text_candidate("a"), text_candidate("b")),
            (text_candidate("ab"), text_candidate("b")),
        )
    )
    # a beats ab and b; b loses to ab and ties with b
    assert found.by_mean == 2.5 / 4


@pytest.mark.parametrize(
    ("good", "bad", "by_mean", "by_sum"),
    [
        ((-5.0, 2), (-9.6, 4), 0.0, 1.0),
        # the same with a marker of log-likelihood -1 that counts: by mean, the decision is another
        ((-6.0, 3), (-10.6, 5), 1.0, 1.0),
        ((-10.0, 2), (-16.0, 3), 1.0, 1.0),
        ((-5.0, 2), (-5.0, 2), 0.5, 0.5),
        # endings after a story of -20 in 10 tokens, and the whole
        ((-6.0, 2), (-8.0, 4), 0.0, 1.0),
        ((-26.0, 12), (-28.0, 14), 0.0, 1.0),
    ],
)
def test_comparison_of_known_scores(
    good: tuple[float, int], bad: tuple[float, int], by_mean: float, by_sum: float
) -> None:
    found = compare_scores(pair("a", "b"), good, bad)
    assert (found.by_mean, found.by_sum) == (by_mean, by_sum)
