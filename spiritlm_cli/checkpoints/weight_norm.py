"""Weight normalization (Salimans and Kingma 2016, arXiv 1602.07868): weight = g · v / ‖v‖.

Files store g and v; networks compute with the weight.
"""

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints.tensors import TensorFile
from spiritlm_cli.errors import CheckpointError

# Names of (g, v): those of torch.nn.utils.weight_norm, as in the release's files, and of its parametrization.
_NAMES = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)


def fold_weight_norm(file: TensorFile) -> TensorFile:
    """Return the file with each pair g and v, under either of their names, replaced by the weight.

    Raises CheckpointError that names a pair whose shapes don't match.
    """
    tensors = dict(file.tensors)
    for g_name, v_name in _NAMES:
        for name in [name for name in tensors if name.endswith("." + g_name)]:
            layer = name.removesuffix(g_name)
            if layer + v_name in tensors:
                g, v = tensors.pop(name).float(), tensors.pop(layer + v_name).float()
                dim = next((dim for dim, size in enumerate(g.shape) if size > 1), 0)
                if g.shape != tuple(size if i == dim else 1 for i, size in enumerate(v.shape)):
                    raise CheckpointError(
                        f"{file.path}: {name} is {tuple(g.shape)}, which doesn't fit {v_name}, {tuple(v.shape)}"
                    )
                # The function that torch's weight norm calls, so that the weight is bit-identical.
                tensors[layer + "weight"] = torch._weight_norm(v, g, dim)
    return dataclasses.replace(file, tensors=tensors)


def release_state_dict(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's state with g and v named as in the release's files (`weight_g`, `weight_v`)."""
    (g, v), (original0, original1) = _NAMES
    state: Mapping[str, Tensor] = module.state_dict()
    return {name.replace(original0, g).replace(original1, v): tensor for name, tensor in state.items()}
