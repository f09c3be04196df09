import numpy as np
import pytest

from spiritlm_cli.evaluation.estimate import Estimate


def test_of_mean_of_a_binomial() -> None:
    found = Estimate.of_mean([1.0] * 60 + [0.0] * 40)
    assert (found.value, found.count) == (pytest.approx(0.6), 100)
    # 1.96 standard errors of √(.6 × .4 / 100)
    assert (found.low, found.high) == pytest.approx((0.504, 0.696), abs=0.02)
    assert found == Estimate.of_mean([1.0] * 60 + [0.0] * 40)


def test_of_ratio_divides_sums() -> None:
    # 1 error in 8 words and 1 in 2: 2/10, not the mean of 1/8 and 1/2
    found = Estimate.of_ratio([1, 1], [8, 2])
    assert (found.value, found.count) == (pytest.approx(0.2), 2)
    assert (found.low, found.high) == (pytest.approx(0.125), pytest.approx(0.5))


def test_of_ratio_of_small_and_of_no_denominators() -> None:
    found = Estimate.of_ratio([1, 1], [0.25, 0.25])
    assert (found.value, found.low, found.high) == (4.0, 4.0, 4.0)
    # a resample of the first item alone has no ratio
    found = Estimate.of_ratio([0, 3], [0, 4])
    assert (found.value, found.low, found.high) == (0.75, 0.75, 0.75)


def test_of_mean_of_many_values_is_that_of_few() -> None:
    values = np.random.default_rng(1).random(1500)
    many, few = Estimate.of_mean(values), Estimate.of_mean(values.round(2))
    assert (many.low, many.high) == pytest.approx((few.low, few.high), abs=0.003)
    assert (many.value, many.count) == (pytest.approx(values.mean()), 1500)


def test_of_ratio_of_a_fair_coin_is_the_binomial_one() -> None:
    # 400 items of one word, half wrong: the rate's standard error is sqrt(.25 / 400) = 0.025
    found = Estimate.of_ratio([0, 1] * 200, [1] * 400)
    assert (found.low, found.high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.01)


def test_of_a_statistic_leaves_out_what_is_not_defined() -> None:
    values = np.array([1.0, 2.0, 3.0])

    def median(drawn: np.ndarray) -> float:
        return float("nan") if len(set(drawn)) == 1 else float(np.median(values[drawn]))

    found = Estimate.of(median, 3)
    assert (found.value, found.low, found.high) == (2.0, 1.0, 3.0)


def test_a_centered_interval_has_the_value_in_its_middle() -> None:
    """The number of distinct items falls by a third in a resample."""
    plain, centered = (
        Estimate.of(lambda drawn: float(len(set(drawn))), 40, centered=shift) for shift in (False, True)
    )
    assert plain.value == centered.value == 40
    assert plain.high is not None
    assert plain.high < 35
    assert centered.low is not None
    assert centered.high is not None
    assert centered.low < 40 < centered.high
    assert (centered.low + centered.high) / 2 == pytest.approx(40, abs=1)


def test_one_item_has_no_interval() -> None:
    for found in (Estimate.of_mean([0.25]), Estimate.of_ratio([1], [4])):
        assert (found.value, found.low, found.high, found.count) == (0.25, None, None, 1)
        assert found.text(100) == "25.0"


def test_equal_items_have_an_interval_of_one_point() -> None:
    assert Estimate.of_ratio([1] * 5, [4] * 5).text(100) == "25.0 [25.0–25.0]"


def test_nothing_to_estimate() -> None:
    for empty in (
        lambda: Estimate.of_mean([]),
        lambda: Estimate.of_ratio([], []),
        lambda: Estimate.of(lambda drawn: 0.0, 0),
    ):
        with pytest.raises(ValueError, match="at least one item"):
            empty()


def test_to_json() -> None:
    assert Estimate(0.5, 0.25, 0.75, 4).to_json() == {"value": 0.5, "low": 0.25, "high": 0.75, "count": 4}


def test_a_centered_interval_contains_the_value() -> None:
    """4 of 256 resamples of four items have one distinct item: fewer than a percentile leaves out."""
    found = Estimate.of(lambda drawn: float(len(set(drawn.tolist())) > 1), 4, centered=True)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value == 1 <= found.high
