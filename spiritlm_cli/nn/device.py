"""Devices and number formats that networks run on."""

from collections.abc import Iterable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from spiritlm_cli.errors import SpiritLMError


def find_device(name: str = "auto") -> torch.device:
    """Return the device called `name`: "auto" (a GPU if there is one, else the CPU), "cpu", "cuda", "cuda:1" or "mps".

    Also disables TF32 in cuDNN, so that float32 convolutions keep 24 bits of precision.
    Raises SpiritLMError if the device is not available.
    """
    # PyTorch's default lets convolutions on a GPU round their inputs to TF32's 10-bit mantissa.
    torch.backends.cudnn.allow_tf32 = False
    if name == "auto":
        gpu = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(gpu)
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        # torch raises AssertionError if it was built without CUDA.
        raise SpiritLMError(f"device {name} can't be used: {str(error).splitlines()[0]}") from error


def find_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype called `name`: "float32", "bfloat16" or "float16".

    Raises SpiritLMError for float16 on a CPU, which has no kernels for it.
    """
    if name == "float16" and device.type == "cpu":
        raise SpiritLMError("float16 needs a GPU; on a CPU take float32 or bfloat16")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def check_finite(tensors: Iterable[Tensor]) -> None:
    """Raise SpiritLMError if a result of a network is infinite or not a number. Waits for the device."""
    # the least and the greatest value, both NaN if any value is: nothing of the tensor's size is allocated
    extremes = [torch.stack(torch.aminmax(tensor)) for tensor in tensors if tensor.numel()]
    if not all([bool(pair.isfinite().all()) for pair in extremes]):
        raise SpiritLMError(
            "a network's result is infinite or not a number: its weights are damaged, or they need --dtype float32"
        )


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """Copy a NumPy array to a device. Copies to a CUDA device are asynchronous, through pinned memory."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def seed_torch(seed: int, device: torch.device) -> None:
    """Seed torch's random numbers, such as those of dropout, for a network on a device."""
    if device.type == "cpu":
        # `torch.manual_seed` takes milliseconds where there is no GPU
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)
