import pytest

from spiritlm_cli.errors import TokenError
from spiritlm_cli.outcome import Outcome


def test_outcome_result_is_computed_once_and_kept():
    calls = []
    outcome = Outcome.of(lambda: calls.append(1) or len(calls))
    assert (outcome.result(), outcome.result(), calls) == (1, 1, [1])


def test_outcome_raises_its_error_each_time_and_through_map():
    outcome = Outcome.failure(TokenError("bad")).map(lambda value: value)
    for _ in range(2):
        with pytest.raises(TokenError, match="bad"):
            outcome.result()


def test_outcome_result_of_several_results_is_an_error():
    assert list(Outcome([1, 2]).map(lambda value: 2 * value)) == [2, 4]
    with pytest.raises(ValueError, match="unpack"):
        Outcome([1, 2]).result()
