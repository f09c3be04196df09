"""The most probable way to say given labels, frame by frame, by CTC's rules (Graves et al. 2006)."""

import numpy as np
import torch
from numpy.typing import NDArray

from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import FloatArray
from spiritlm_cli.third_party import torchaudio_works

# the search remembers for each frame how each of its states was reached, a byte each
SEARCH_BYTES = 1 << 30

IntArray = NDArray[np.int64]


def numpy_path(log_probs: FloatArray, targets: IntArray, blank: int) -> IntArray:
    """The most probable of the paths that say `targets`: what each frame says.

    log_probs: (frames, labels) float32, finite; targets: (n,) int64, n >= 1, no blank among them. Returns (frames,)
    int64, the position in `targets` of the label that the frame says, −1 where it says blank. Between the labels there
    may be blanks; between equal ones there must be. Of paths that are equally probable, going back from the end (whose
    last frame says a label rather than blank), that which stays where it is rather than coming from the state before,
    and that rather than coming over a blank.

    Raises ValueError where there are too few frames.
    """
    states = np.full(2 * len(targets) + 1, blank)
    states[1::2] = targets
    over_blank = np.zeros(len(states), dtype=bool)
    over_blank[3::2] = targets[1:] != targets[:-1]
    came = np.zeros((len(log_probs), len(states)), dtype=np.uint8)
    # two states that nothing is in stand before the first
    score = np.full(len(states) + 2, -np.inf)
    score[2:4] = log_probs[0, states[:2]]
    for frame in range(1, len(log_probs)):
        stayed, stepped = score[2:], score[1:-1]
        skipped = np.where(over_blank, score[:-2], -np.inf)
        best = np.maximum(stayed, stepped)
        came[frame] = stepped > stayed
        came[frame, skipped > best] = 2
        score[2:] = np.maximum(best, skipped) + log_probs[frame, states]
    state = len(states) - (1 if score[-1] > score[-2] else 2)
    if score[state + 2] == -np.inf:
        raise ValueError(f"{len(targets)} labels don't fit in {len(log_probs)} frames")
    path = np.empty(len(log_probs), dtype=np.int64)
    for frame in range(len(log_probs) - 1, -1, -1):
        path[frame] = state // 2 if state % 2 else -1
        state -= int(came[frame, state])
    return path


def torchaudio_path(log_probs: FloatArray, targets: IntArray, blank: int) -> IntArray:
    """The same as `numpy_path`, by torchaudio. Where states tie exactly it may take a path a little less probable."""
    from torchaudio.functional import forced_align

    # float64, as there: over an hour's frames float32 would no longer tell near paths apart
    emissions = torch.from_numpy(log_probs).double()[None]
    labels = forced_align(emissions, torch.from_numpy(targets)[None], blank=blank)[0][0].numpy()
    begins = (labels != blank) & (labels != np.concatenate([[blank], labels[:-1]]))
    return np.where(labels == blank, -1, np.cumsum(begins) - 1)


def best_path(log_probs: FloatArray, targets: IntArray, blank: int) -> IntArray:
    """As `numpy_path`, by what is fastest here. Raises AlignmentError where it would take too much memory."""
    if len(log_probs) * (2 * len(targets) + 1) > SEARCH_BYTES:
        raise AlignmentError(
            f"{len(targets)} letters in {len(log_probs)} frames are too much to align at once; cut it into segments"
        )
    return (torchaudio_path if torchaudio_works() else numpy_path)(log_probs, targets, blank)
