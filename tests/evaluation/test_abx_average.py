import numpy as np
import pytest

from spiritlm_cli.evaluation.abx_average import AbxAverage

AB, BA = ("A", "B"), ("B", "A")
# Of the pair A-B: speaker s in two contexts, speaker t in one; of B-A: speaker s.
AVERAGE = AbxAverage([0.2, 0.4, 0.5, 1.0], ["s", "s", "t", "s"], [AB, AB, AB, BA])


def test_average_is_over_contexts_then_speakers_then_pairs() -> None:
    assert AVERAGE() == pytest.approx(((0.3 + 0.5) / 2 + 1.0) / 2)


def test_weights_count_cells_as_often() -> None:
    assert AVERAGE(np.array([3.0, 1, 1, 1])) == pytest.approx(((0.25 + 0.5) / 2 + 1.0) / 2)
    assert AVERAGE(np.array([0.0, 1, 0, 0])) == pytest.approx(0.4)
    assert AVERAGE(np.array([0.0, 0, 1, 1])) == pytest.approx(0.75)
