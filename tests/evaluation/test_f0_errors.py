import numpy as np
import pytest

from spiritlm_cli.evaluation.f0_errors import F0Errors

REFERENCE = np.array([0, 100, 100, 120, 0, 200, 200, 0])


def test_compare_of_eight_frames() -> None:
    errors = F0Errors.compare(REFERENCE, np.array([0, 100, 130, 0, 110, 190, 150, 0]))
    assert (errors.gpe, errors.vde, errors.ffe) == (0.5, 0.25, 0.5)
    assert errors.hertz_correlation == pytest.approx(0.8412, abs=5e-5)
    assert errors.log_correlation == pytest.approx(0.8437, abs=5e-5)


def test_compare_trims_to_the_shorter() -> None:
    errors = F0Errors.compare(REFERENCE, REFERENCE[:4])
    assert (errors.frames, errors.gpe, errors.vde, errors.ffe) == (4, 0, 0, 0)
    assert errors.log_correlation == pytest.approx(1)


def test_gpe_is_undefined_without_frames_voiced_in_both() -> None:
    errors = F0Errors.compare(REFERENCE, np.zeros(8))
    assert (errors.gpe, errors.vde, errors.ffe) == (None, 0.625, 0.625)
    assert errors.log_correlation is None
    assert F0Errors.compare(REFERENCE[:0], REFERENCE).ffe is None


def test_correlation_of_a_constant_is_undefined() -> None:
    assert F0Errors.compare(REFERENCE, np.full(8, 100)).hertz_correlation is None


def test_a_difference_of_20_percent_is_no_gross_error() -> None:
    assert F0Errors.compare(np.array([100.0]), np.array([120.0])).gross == 0
    assert F0Errors.compare(np.array([100.0]), np.array([121.0])).gross == 1
