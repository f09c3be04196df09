"""Placement of a language model's layers on one or several devices, and the data type that they compute with."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Literal

import torch
from torch import nn

from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.nn.device import find_device

DeviceMap = Literal["auto"]


def find_devices(device: str = "auto", device_map: DeviceMap | None = None) -> list[torch.device]:
    """The devices to spread a language model over: one, or with `device_map="auto"` all CUDA devices.

    A CUDA device with an index ("cuda:1") is always that one. Raises SpiritLMError if `device` can't be used.
    """
    single = find_device(device)
    if device_map is None or single.type != "cuda" or device not in ("auto", "cuda"):
        return [single]
    return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]


def torch_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """Convert a dtype's name; None is the device's default. Raises ValueError for another name."""
    if dtype is None:
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    result = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(result, torch.dtype) or not result.is_floating_point:
        raise ValueError(f"dtype must be float32, bfloat16 or float16, not {dtype}")
    return result


def layer_counts(layers: Sequence[int], free: Sequence[int], first: int = 0, last: int = 0) -> list[int]:
    """Number of consecutive layers for each device, so that its bytes are in proportion to its free memory.

    layers: bytes of each layer. free: free bytes of each device. first: bytes that precede the layers on the first
    device. last: bytes that follow them on the last device. Of a layer that crosses a border, the middle decides.
    """
    scale = (first + sum(layers) + last) / max(sum(free), 1)
    borders = [end * scale for end in accumulate(free)]
    middles = [first + end - size / 2 for size, end in zip(layers, accumulate(layers), strict=True)]
    devices = [min(bisect_right(borders, middle), len(free) - 1) for middle in middles]
    return [devices.count(index) for index in range(len(free))]


def place_layers(
    layers: Sequence[nn.Module],
    first: Sequence[nn.Module],
    last: Sequence[nn.Module],
    devices: Sequence[torch.device],
) -> list[torch.device]:
    """Choose the device of each layer.

    layers: may be on the meta device, without memory. first: modules on the first device, before the layers. last:
    modules on the last device, after them. Raises SpiritLMError if the devices have too little free memory.
    """
    if len(devices) == 1:
        return [devices[0]] * len(layers)
    sizes, before, after = [_size(layer) for layer in layers], sum(map(_size, first)), sum(map(_size, last))
    if all(device.type == "cuda" for device in devices):
        free = [torch.cuda.mem_get_info(device)[0] for device in devices]
        if before + sum(sizes) + after > sum(free):
            raise SpiritLMError(
                f"the language model takes {(before + sum(sizes) + after) / 1e9:.1f} GB; {len(devices)} GPUs have "
                f"{sum(free) / 1e9:.1f} GB free"
            )
    else:
        free = [1] * len(devices)  # other devices share the host's memory
    counts = layer_counts(sizes, free, before, after)
    return [device for device, count in zip(devices, counts, strict=True) for _ in range(count)]


def tensor_placement(
    layers: Sequence[torch.device], devices: Sequence[torch.device]
) -> Callable[[str], torch.device]:
    """Return a function from a tensor's name in transformers' LLaMA to its device. layers: device of each layer."""

    def device_of(name: str) -> torch.device:
        _, is_layer, rest = name.partition("model.layers.")
        if is_layer:
            return layers[int(rest.partition(".")[0])]
        return devices[0] if name.startswith("model.embed_tokens.") else devices[-1]

    return device_of


def _size(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in module.parameters())
