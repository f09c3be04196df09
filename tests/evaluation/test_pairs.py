import json

from pair_fixtures import compare, pair, text_candidate

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
