from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.inspection import ngrams
from spiritlm_cli.inspection.ngrams import MAX_IDS, NgramCounter


def array(*ids: int) -> np.ndarray:
    return np.array(ids, dtype=np.int64)


def test_ngrams_do_not_cross_calls() -> None:
    bigrams, trigrams = NgramCounter(2), NgramCounter(3)
    for counter in (bigrams, trigrams):
        counter.add(array(1, 2, 1, 2))
        counter.add(array(7))
        counter.add(array(499, 0, 63))
    assert bigrams.top(9) == [((1, 2), 2), ((0, 63), 1), ((2, 1), 1), ((499, 0), 1)]
    assert trigrams.top(2) == [((1, 2, 1), 1), ((2, 1, 2), 1)]
    assert (bigrams.total, trigrams.total) == (5, 3)
    assert bigrams.undercount == 0


def test_ngrams_leave_out_ids_that_no_model_has() -> None:
    trigrams = NgramCounter(3)
    trigrams.add(array(MAX_IDS - 1, MAX_IDS - 1, MAX_IDS - 1, 10**18 - 1, 5, 6, 7))
    assert trigrams.top(9) == [((5, 6, 7), 1), ((MAX_IDS - 1,) * 3, 1)]
    assert trigrams.total == 2


@given(st.lists(st.lists(st.integers(0, 6), max_size=30)))
def test_ngram_counts_are_at_most_undercount_too_low(stretches: list[list[int]]) -> None:
    counter = NgramCounter(2, capacity=8)
    exact: Counter[tuple[int, int]] = Counter()
    for ids in stretches:
        counter.add(array(*ids))
        assert counter.undercount >= 0  # counts what was added, so that n-grams are dropped in between
        exact.update(pairwise(ids))
    counted = dict(counter.top(99))
    assert len(counted) <= 8
    assert all(0 <= count - counted.get(pair, 0) <= counter.undercount for pair, count in exact.items())
    assert counted.keys() <= exact.keys()
    assert counter.total == exact.total()


def test_ngrams_are_counted_when_many_are_collected() -> None:
    counter = NgramCounter(2)
    ids = np.arange(2 * ngrams._BUFFER) % 1000
    counter.add(ids)
    assert not counter._buffer
    assert counter.top(1) == [((0, 1), 132)]
