import numpy as np
import pytest

from spiritlm_cli.evaluation.unit_edits import UnitEdits, corpus_rate, mean_rate


def test_unit_edits_of_two_clips() -> None:
    one = UnitEdits.between(np.array([1, 2, 3]), np.array([1, 9, 3]))
    two = UnitEdits.between(np.array([5, 5, 5, 7]), np.array([5, 7, 7, 8]))
    assert (one.rate, two.rate) == (pytest.approx(1 / 3), 0.5)
    assert (two.units, two.frames) == (2, 4)
    assert 100 * corpus_rate([one, two]) == pytest.approx(40.0)
    assert 100 * mean_rate([one, two]) == pytest.approx(41.67, abs=5e-3)


def test_unit_edits_in_both_directions_are_those_of_each() -> None:
    one, other = np.array([1, 1, 2, 3]), np.array([8, 8, 3])
    both = UnitEdits.between(one, other), UnitEdits.between(other, one)
    assert UnitEdits.in_both_directions(one, other) == both
    assert both == (UnitEdits(2, 3, 4), UnitEdits(2, 2, 3))


def test_unit_edits_without_units() -> None:
    none = np.array([], dtype=np.int64)
    assert UnitEdits.between(none, none).rate == 0
    assert UnitEdits.between(none, np.array([4, 4])).rate == 1
