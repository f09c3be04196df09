"""Which device holds which of a language model's layers, where there are several."""

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
    """The devices that a language model is to be spread over: one, or with "auto" every CUDA device there is.

    One GPU by its number ("cuda:1") is that one. Raises SpiritLMError where `device` can't be used.
    """
    place = find_device(device)
    if device_map is None or place.type != "cuda" or device not in ("auto", "cuda"):
        return [place]
    return [torch.device("cuda", number) for number in range(torch.cuda.device_count())]


def layer_counts(layers: Sequence[int], free: Sequence[int], first: int = 0, last: int = 0) -> list[int]:
    """How many layers each device gets, in order, so that its bytes are in proportion to its free memory.

    layers: bytes of each; free: bytes of each device; first: bytes that stand before the layers, on the first device;
    last: those after them, on the last. Laid side by side, each layer goes where its middle falls.
    """
    scale = (first + sum(layers) + last) / max(sum(free), 1)
    borders = [end * scale for end in accumulate(free)]
    middles = [first + end - size / 2 for size, end in zip(layers, accumulate(layers), strict=True)]
    places = [min(bisect_right(borders, middle), len(free) - 1) for middle in middles]
    return [places.count(number) for number in range(len(free))]


def place_layers(
    layers: Sequence[nn.Module],
    first: Sequence[nn.Module],
    last: Sequence[nn.Module],
    devices: Sequence[torch.device],
) -> list[torch.device]:
    """The device of each layer; `first` goes with the first device, `last` with the last.

    The modules need no memory yet (torch's meta device). Raises SpiritLMError where the devices have no room for them.
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
        free = [1] * len(devices)  # what is free of the host's memory says nothing
    counts = layer_counts(sizes, free, before, after)
    return [device for device, count in zip(devices, counts, strict=True) for _ in range(count)]


def placer(layers: Sequence[torch.device], devices: Sequence[torch.device]) -> Callable[[str], torch.device]:
    """What gives, for a tensor's name in transformers' LLaMA, its device; layers: that of each layer."""

    def place(name: str) -> torch.device:
        _, found, rest = name.partition("model.layers.")
        if found:
            return layers[int(rest.partition(".")[0])]
        return devices[0] if name.startswith("model.embed_tokens.") else devices[-1]

    return place


def _size(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in module.parameters())
