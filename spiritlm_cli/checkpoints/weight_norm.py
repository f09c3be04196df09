"""Weight norm: weight = g * v / ||v||. Stored as g and v, and folded into one weight to compute with."""

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints.tensors import TensorFile
from spiritlm_cli.errors import CheckpointError

# How (g, v) are spelt: by torch's first weight norm, as in the release's files, and by its parametrization.
_SPELLINGS = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)


def fold_weight_norm(file: TensorFile) -> TensorFile:
    """The file with each pair of weight-norm tensors, in either spelling, made the weight it stands for.

    Raises CheckpointError that names a pair whose shapes don't fit.
    """
    tensors = dict(file.tensors)
    for g_name, v_name in _SPELLINGS:
        for name in [name for name in tensors if name.endswith("." + g_name)]:
            layer = name.removesuffix(g_name)
            if layer + v_name in tensors:
                g, v = tensors.pop(name).float(), tensors.pop(layer + v_name).float()
                dim = next((dim for dim, size in enumerate(g.shape) if size > 1), 0)
                if g.shape != tuple(size if i == dim else 1 for i, size in enumerate(v.shape)):
                    raise CheckpointError(
                        f"{file.path}: {name} is {tuple(g.shape)}, which doesn't fit {v_name}, {tuple(v.shape)}"
                    )
                # what weight norm itself computes with, so the weight is the same to the last bit
                tensors[layer + "weight"] = torch._weight_norm(v, g, dim)
    return dataclasses.replace(file, tensors=tensors)


def release_state_dict(module: nn.Module) -> dict[str, Tensor]:
    """A module's state with weight norm spelt as the release does (`weight_g`, `weight_v`)."""
    (g, v), (original0, original1) = _SPELLINGS
    state: Mapping[str, Tensor] = module.state_dict()
    return {name.replace(original0, g).replace(original1, v): tensor for name, tensor in state.items()}
