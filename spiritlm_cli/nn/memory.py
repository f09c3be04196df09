"""Memory: how much audio to process at once, and returning freed memory to the system."""

import ctypes
import sys

import torch

# GPU memory that a second of audio takes in the largest of the release's networks: an upper estimate.
_BYTES_PER_SECOND = 16 << 20

BATCH_ADVICE = "lower --batch-seconds, take --dtype bfloat16, or end other programs"


class Trimmer:
    """Returns freed heap memory to the operating system, once in so many calls.

    oneDNN's compiled kernels stay allocated between large tensors that are freed, so glibc's heap fragments: without
    trimming it grows by a half over the first thousand clips of a run. Does nothing where glibc is not used.
    """

    def __init__(self, every: int = 16) -> None:
        """every: number of calls between two trims."""
        self._every, self._calls = every, 0
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

    def __call__(self) -> None:
        """Count a call, and trim the heap if it is due."""
        self._calls += 1
        if self._trim and self._calls % self._every == 0:
            self._trim(0)


def default_batch_seconds(device: torch.device) -> float:
    """Return the seconds of audio to process in one batch.

    On a GPU: as much as fits in half of its free memory, between 20 s and 20 minutes. Otherwise 20 s: larger batches
    gain nothing on a CPU, where a batch only lets short clips share one pass over the weights.
    """
    if device.type != "cuda":
        return 20.0
    free, _ = torch.cuda.mem_get_info(device)
    return min(max(free / 2 / _BYTES_PER_SECOND, 20.0), 1200.0)
