"""Tensors by other names: a checkpoint's for ours, ours for a checkpoint's."""

import re
from collections.abc import Mapping


def renamed(tensor: str, names: Mapping[str, str]) -> str:
    """A tensor's name with its layer's name exchanged; an unknown one stays, to be complained of.

    names: from name to name of layers; `{}` is the first number in it.
    """
    layer, _, parameter = tensor.rpartition(".")
    if layer in names:
        return f"{names[layer]}.{parameter}"
    number = re.search(r"\.(\d+)", layer)
    other = names.get(re.sub(r"\.\d+", ".{}", layer, count=1))
    return f"{other.format(number[1])}.{parameter}" if other and number else tensor
