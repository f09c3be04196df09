import pytest

from spiritlm_cli.training.schedule import learning_rate, warm_cosine


def test_warm_cosine_rises_linearly_and_falls_to_a_fiftieth() -> None:
    rates = [warm_cosine(step, 1000, 1.0, warm=100) for step in range(1001)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[49] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(1.0)
    assert rates[550] == pytest.approx(0.51)
    assert rates[1000] == pytest.approx(0.02)
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_warm_cosine_reaches_the_highest_rate_in_a_short_training() -> None:
    rates = [warm_cosine(step, 10, 1.0) for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[9] < 0.1
    assert warm_cosine(199, 5000, 1.0) == 1.0 > warm_cosine(198, 5000, 1.0)


def test_learning_rate_of_each_schedule() -> None:
    constant, wsd, cosine = (
        [learning_rate(name, step, 100, 3.0, warm=10) for step in range(100)]
        for name in ("constant", "wsd", "cosine")
    )
    assert constant[:10] == wsd[:10] == cosine[:10]
    assert constant[4] == pytest.approx(1.5)
    assert set(constant[10:]) == set(wsd[10:80]) == {3.0}
    assert wsd[89] == pytest.approx(3.0 * (1 + 0.02) / 2)
    assert wsd[99] == pytest.approx(0.06)
    assert cosine == [warm_cosine(step, 100, 3.0, 10) for step in range(100)]
