"""Where models run."""

import ctypes
import sys
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from spiritlm_cli.errors import SpiritLMError

# What a second of sound takes of a GPU's memory while it goes through the release's networks, on the safe side.
_BYTES_A_SECOND = 16 << 20


def find_device(name: str = "auto") -> torch.device:
    """The device called "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1" or "mps".

    Raises SpiritLMError where it can't be used.
    """
    # float32 means float32: by default torch lets convolutions on a GPU round to 10 bits.
    torch.backends.cudnn.allow_tf32 = False
    if name == "auto":
        gpu = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(gpu)
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        # An AssertionError is how torch says that it was built without CUDA.
        raise SpiritLMError(f"device {name} can't be used: {str(error).splitlines()[0]}") from error


def find_dtype(name: str, device: torch.device) -> torch.dtype:
    """What to compute with: float32, bfloat16 or float16. Raises SpiritLMError where the device can't."""
    if name == "float16" and device.type == "cpu":
        raise SpiritLMError("float16 needs a GPU; on a CPU take float32 or bfloat16")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """A new array as a tensor; to a GPU it is copied while the host goes on."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Trimmer:
    """Gives back to the system, now and then, memory that was freed and lies between what is still in use.

    oneDNN's compiled kernels stay, and come to lie among large tensors that go: without this glibc's heap would grow by
    a half over the first thousand clips of a run. Where there is no glibc nothing is done.
    """

    def __init__(self, every: int = 16) -> None:
        """every: calls from one time to the next."""
        self._every, self._calls = every, 0
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

    def __call__(self) -> None:
        self._calls += 1
        if self._trim and self._calls % self._every == 0:
            self._trim(0)


def default_batch_seconds(device: torch.device) -> float:
    """How much sound to compute at once: on a GPU what fits in half of its free memory, up to 20 minutes.

    A CPU gains from a batch only that short clips share the reading of the weights, which 20 s do.
    """
    if device.type != "cuda":
        return 20.0
    free, _ = torch.cuda.mem_get_info(device)
    return min(max(free / 2 / _BYTES_A_SECOND, 20.0), 1200.0)
