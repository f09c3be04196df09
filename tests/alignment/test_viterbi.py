import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.alignment.viterbi import best_path, numpy_path, torchaudio_path
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.third_party import torchaudio_works


def random_log_probs(rng: np.random.Generator, frames: int, labels: int, scale: float = 3) -> np.ndarray:
    logits = torch.from_numpy(rng.normal(size=(frames, labels)) * scale).float()
    return torch.log_softmax(logits, dim=-1).numpy()


def score_of(path: np.ndarray, log_probs: np.ndarray, targets: np.ndarray) -> float:
    labels = np.where(path < 0, 0, targets[path])
    return float(log_probs[np.arange(len(path)), labels].sum(dtype=np.float64))


def collapsed(labels: tuple[int, ...]) -> list[int]:
    return [label for label, _ in itertools.groupby(labels) if label]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6),
    st.lists(st.integers(1, 2), min_size=1, max_size=4),
    st.integers(0, 1000),
    st.booleans(),
)
def test_numpy_path_is_the_best_of_all_paths(frames: int, labels: list[int], seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    log_probs = (
        -rng.integers(0, 3, (frames, 3)).astype(np.float32) if ties else random_log_probs(rng, frames, 3)
    )
    targets = np.array(labels)
    every = [path for path in itertools.product(range(3), repeat=frames) if collapsed(path) == labels]
    if not every:
        with pytest.raises(ValueError, match="don't fit"):
            numpy_path(log_probs, targets, 0)
        return
    path = numpy_path(log_probs, targets, 0)
    assert collapsed(tuple(np.where(path < 0, 0, targets[path]))) == labels
    assert list(dict.fromkeys(path[path >= 0])) == list(range(len(labels)))
    best = max(float(log_probs[np.arange(frames), list(every_path)].sum()) for every_path in every)
    assert score_of(path, log_probs, targets) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "path"), [([1], [0, 0, 0, 0, 0]), ([1, 2], [0, 1, 1, 1, 1]), ([1, 1], [0, -1, 1, 1, 1])]
)
def test_numpy_path_breaks_ties(labels: list[int], path: list[int]) -> None:
    assert numpy_path(np.zeros((5, 3), dtype=np.float32), np.array(labels), 0).tolist() == path


@pytest.mark.parametrize("blank", [0, 7])
def test_torchaudio_path_equals_numpy_path(blank: int) -> None:
    if not torchaudio_works():
        pytest.skip("torchaudio can't be imported beside this torch")
    rng = np.random.default_rng(blank)
    for count in (1, 2, 5, 40, 300):
        targets = rng.integers(1, 7, count)
        for extra in (0, 1, 50):
            repeats = int((targets[1:] == targets[:-1]).sum())
            log_probs = random_log_probs(rng, count + repeats + extra, 8)
            np.testing.assert_array_equal(
                torchaudio_path(log_probs, targets, blank), numpy_path(log_probs, targets, blank)
            )


def test_best_path_refuses_too_many_states() -> None:
    log_probs = np.zeros((40_000, 2), dtype=np.float32)
    with pytest.raises(AlignmentError, match="cut the audio into segments"):
        best_path(log_probs, np.ones(14_000, dtype=np.int64), 0)
