"""Distances of phones by dynamic time warping (DTW) of their frames, as in libri-light."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.nn.compiled import compile_function

# (frames, dim) of floats, or (frames,) of units
Features = NDArray[Any]
Distances = NDArray[np.float64]


def token_distances(x: Sequence[Features], y: Sequence[Features]) -> Distances:
    """Distance of each token of `x` from each of `y`: the cost of the best path / its number of cells.

    x, y: the frames of each token, at least one. Frames of units are one-hot vectors: their distance is 0 or ½.
    Returns (len(x), len(y)).
    """
    costs = frame_distances(np.concatenate(x), np.concatenate(y))
    return _warp(costs, _bounds(x), _bounds(y))


def frame_distances(x: Features, y: Features) -> Distances:
    """Angle of each pair of vectors / π: 0 to 1. A zero vector has the distance 1 from all vectors that are not zero.

    x: (m, dim), y: (n, dim), or (m,) and (n,) units. Returns (m, n).
    """
    if x.ndim == 1:
        return np.where(x[:, None] == y, 0.0, 0.5)
    cosines = np.clip(_unit(x) @ _unit(y).T, -1, 1)
    x_zero, y_zero = (x == 0).all(1)[:, None], (y == 0).all(1)[None]
    cosines = np.where(x_zero | y_zero, np.where(x_zero & y_zero, 1.0, -1.0), cosines)
    return np.arccos(cosines) / np.pi


def _unit(x: Features) -> Distances:
    x = x.astype(np.float64)
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    unit: Distances = x / np.where(norms == 0, 1, norms)
    return unit


def _bounds(tokens: Sequence[Features]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, tokens)])


@compile_function("float64(float64[:, :])")
def _path_cost(costs: Distances) -> float:
    """Mean cost of the cells of the cheapest path from the first cell to the last. costs: (m, n), at least 1 × 1.

    Of paths that are as cheap, the way back prefers the diagonal, then the left, then the upper cell.
    """
    m, n = costs.shape
    total = np.empty((m, n))
    for i in range(m):
        for j in range(n):
            before = 0.0
            if i > 0 and j > 0:
                before = min(total[i - 1, j - 1], total[i, j - 1], total[i - 1, j])
            elif i > 0:
                before = total[i - 1, j]
            elif j > 0:
                before = total[i, j - 1]
            total[i, j] = costs[i, j] + before
    i, j, cells = m - 1, n - 1, 1
    while i > 0 or j > 0:
        if i == 0:
            j -= 1
        elif j == 0:
            i -= 1
        else:
            diagonal, left, up = total[i - 1, j - 1], total[i, j - 1], total[i - 1, j]
            if diagonal <= left and diagonal <= up:
                i -= 1
                j -= 1
            elif left <= up:
                j -= 1
            else:
                i -= 1
        cells += 1
    mean: float = total[m - 1, n - 1] / cells
    return mean


@compile_function("float64[:, ::1](float64[:, :], int64[::1], int64[::1])")
def _warp(costs: Distances, x_bounds: NDArray[np.int64], y_bounds: NDArray[np.int64]) -> Distances:
    """Distance of each pair of tokens. costs: of all frames; bounds: (tokens + 1,), where tokens start and end."""
    out = np.empty((len(x_bounds) - 1, len(y_bounds) - 1))
    for x in range(len(x_bounds) - 1):
        for y in range(len(y_bounds) - 1):
            out[x, y] = _path_cost(costs[x_bounds[x] : x_bounds[x + 1], y_bounds[y] : y_bounds[y + 1]])
    return out
