import numpy as np
import pytest

from spiritlm_cli.evaluation.abx_distance import frame_distances, token_distances

E1, E2 = np.array([1.0, 0.0]), np.array([0.0, 1.0])


@pytest.mark.parametrize(
    ("x", "y", "distance"),
    [("12", "1122", 0), ("1", "12", 0.25), ("12", "21", 0.5), ("1", "1", 0), ("1", "2", 0.5)],
)
def test_token_distances_of_units(x: str, y: str, distance: float) -> None:
    """As units and as one-hot vectors, computed by hand."""
    units = [np.array([int(unit) for unit in token]) for token in (x, y)]
    vectors = [np.stack([(E1, E2)[unit - 1] for unit in token]) for token in units]
    for a, b in (units, vectors):
        assert token_distances([a], [b])[0, 0] == pytest.approx(distance, abs=1e-12)


def test_token_distances_of_several_tokens_are_those_of_each_pair() -> None:
    rng = np.random.default_rng(0)
    x, y = ([rng.standard_normal((n, 4)) for n in lengths] for lengths in ((3, 1, 7), (2, 5)))
    together = token_distances(x, y)
    assert together.shape == (3, 2)
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            assert together[i, j] == pytest.approx(token_distances([a], [b])[0, 0], abs=1e-12)


def test_frame_distances_are_angles() -> None:
    x = np.stack([E1, 3 * E1, -E1, E1 + E2])
    assert frame_distances(x, E1[None])[:, 0] == pytest.approx([0, 0, 1, 0.25], abs=1e-7)


def test_frame_distances_of_zero_vectors_are_the_largest() -> None:
    zero = np.zeros(2)
    assert frame_distances(np.stack([zero, E1]), np.stack([zero, -E1])).tolist() == [[0, 1], [1, 1]]
