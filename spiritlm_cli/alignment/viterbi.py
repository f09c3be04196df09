"""Viterbi search for the most probable CTC path through known labels (Graves et al. 2006)."""

import numpy as np
import torch
from numpy.typing import NDArray

from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import FloatArray
from spiritlm_cli.third_party import torchaudio_works

# The search stores one byte for each state of each frame.
SEARCH_BYTES = 1 << 30

IntArray = NDArray[np.int64]


def numpy_path(log_probs: FloatArray, targets: IntArray, blank: int) -> IntArray:
    """The most probable path that emits `targets`.

    log_probs: (frames, labels) float32, finite. targets: (n,) int64, n >= 1, without blanks. Returns (frames,) int64:
    the index in `targets` of the label that each frame emits, −1 for blank. Blanks are optional between different
    labels and required between equal ones.

    Ties are decided from the last frame backwards: a label rather than blank at the end, then staying in a state
    rather than a step from the state before, and that rather than a step over a blank.

    Raises ValueError if there are too few frames for the labels.
    """
    states = np.full(2 * len(targets) + 1, blank)
    states[1::2] = targets
    may_skip_blank = np.zeros(len(states), dtype=bool)
    may_skip_blank[3::2] = targets[1:] != targets[:-1]
    steps = np.zeros((len(log_probs), len(states)), dtype=np.uint8)
    # Two unreachable states before the first make the shifted views below equally long.
    score = np.full(len(states) + 2, -np.inf)
    score[2:4] = log_probs[0, states[:2]]
    for frame in range(1, len(log_probs)):
        stay, step = score[2:], score[1:-1]
        skip = np.where(may_skip_blank, score[:-2], -np.inf)
        best = np.maximum(stay, step)
        steps[frame] = step > stay
        steps[frame, skip > best] = 2
        score[2:] = np.maximum(best, skip) + log_probs[frame, states]
    state = len(states) - (1 if score[-1] > score[-2] else 2)
    if score[state + 2] == -np.inf:
        raise ValueError(f"{len(targets)} labels don't fit in {len(log_probs)} frames")
    path = np.empty(len(log_probs), dtype=np.int64)
    for frame in range(len(log_probs) - 1, -1, -1):
        path[frame] = state // 2 if state % 2 else -1
        state -= int(steps[frame, state])
    return path


def torchaudio_path(log_probs: FloatArray, targets: IntArray, blank: int) -> IntArray:
    """`numpy_path` computed by torchaudio. If states tie exactly, the path may be slightly less probable."""
    from torchaudio.functional import forced_align

    # float64 as in `numpy_path`: over an hour of frames, sums in float32 can't distinguish similar paths.
    emissions = torch.from_numpy(log_probs).double()[None]
    labels = forced_align(emissions, torch.from_numpy(targets)[None], blank=blank)[0][0].numpy()
    is_start = (labels != blank) & (labels != np.concatenate([[blank], labels[:-1]]))
    return np.where(labels == blank, -1, np.cumsum(is_start) - 1)


def best_path(log_probs: FloatArray, targets: IntArray, blank: int) -> IntArray:
    """`torchaudio_path` if torchaudio can be imported, else `numpy_path`.

    Raises AlignmentError if the search would need more than `SEARCH_BYTES`.
    """
    if len(log_probs) * (2 * len(targets) + 1) > SEARCH_BYTES:
        raise AlignmentError(
            f"{len(targets)} letters and {len(log_probs)} frames are too many to align at once; "
            "cut the audio into segments"
        )
    return (torchaudio_path if torchaudio_works() else numpy_path)(log_probs, targets, blank)
