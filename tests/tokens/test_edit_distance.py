import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.tokens.edit_distance import NONE, edit_path

SEQUENCES = st.lists(st.integers(0, 4), max_size=60)


def table_distance(a, b):
    """The textbook table, in O(len(a) * len(b))."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def counts(path):
    return path.substitutions, path.insertions, path.deletions


@given(SEQUENCES, SEQUENCES)
def test_edit_path_is_minimal(a, b):
    path = edit_path(a, b)
    assert path.distance == sum(counts(path)) == table_distance(a, b)


@given(SEQUENCES, SEQUENCES)
def test_edit_path_takes_each_element_once_in_order(a, b):
    path = edit_path(a, b)
    assert path.a[path.a != NONE].tolist() == list(range(len(a)))
    assert path.b[path.b != NONE].tolist() == list(range(len(b)))
    both = (path.a != NONE) & (path.b != NONE)
    same = [a[i] == b[j] for i, j in zip(path.a[both], path.b[both], strict=True)]
    assert path.equal[both].tolist() == same
    assert not path.equal[~both].any()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("", "", (0, 0, 0)),
        ("abc", "abc", (0, 0, 0)),
        ("", "ab", (0, 2, 0)),
        ("ab", "", (0, 0, 2)),
        ("kitten", "sitting", (2, 1, 0)),
        ("abcdef", "abXdef", (1, 0, 0)),
        ("abdef", "abcdef", (0, 1, 0)),
        ("abcdef", "abdef", (0, 0, 1)),
        # two substitutions, or a deletion and an insertion
        ("ab", "bc", (2, 0, 0)),
    ],
)
def test_edit_path_counts(a, b, expected):
    assert counts(edit_path(a, b)) == expected


def test_edit_path_of_ties():
    path = edit_path("aa", "a")
    assert (path.a.tolist(), path.b.tolist()) == ([0, 1], [0, NONE])
    path = edit_path("xay", "xby")
    assert (path.a.tolist(), path.b.tolist()) == ([0, 1, 2], [0, 1, 2])


def test_edit_path_of_long_sequences():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 500, 3000)
    b = np.delete(a, np.arange(0, 3000, 100))  # 30 deletions
    b[50::100] = 500  # 30 substitutions by a unit that a does not have
    path = edit_path(a.tolist(), b.tolist())
    assert counts(path) == (30, 0, 30)


def test_edit_path_is_bounded_in_memory():
    # The table has 4,000,000 cells. If all elements differ, most is kept.
    tracemalloc.start()
    edit_path(range(2000), range(2000, 4000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6  # bytes
