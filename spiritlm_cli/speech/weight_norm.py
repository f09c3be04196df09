"""Weight norm: weight = g * v / ||v||. Stored as g and v, and folded into one weight to compute with."""

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints.files import TensorFile

# How (g, v) are spelt: by torch's first weight norm, as in the release's files, and by its parametrization.
_SPELLINGS = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)


def fold(file: TensorFile) -> TensorFile:
    """The file with each pair of weight-norm tensors, in either spelling, made the weight it stands for."""
    tensors = dict(file.tensors)
    for g_name, v_name in _SPELLINGS:
        for name in [name for name in tensors if name.endswith("." + g_name)]:
            layer = name.removesuffix(g_name)
            if layer + v_name in tensors:
                tensors[layer + "weight"] = _weight(
                    tensors.pop(name).float(), tensors.pop(layer + v_name).float()
                )
    return dataclasses.replace(file, tensors=tensors)


def release_names(module: nn.Module) -> dict[str, Tensor]:
    """A module's state with weight norm spelt as the release does (`weight_g`, `weight_v`)."""
    (g, v), (original0, original1) = _SPELLINGS
    state: Mapping[str, Tensor] = module.state_dict()
    return {name.replace(original0, g).replace(original1, v): tensor for name, tensor in state.items()}


def _weight(g: Tensor, v: Tensor) -> Tensor:
    """g has the shape of v but for the dimensions that the norm is taken over, which are 1."""
    dims = [dim for dim, size in enumerate(g.shape) if size == 1]
    norm: Tensor = torch.linalg.vector_norm(v, dim=dims, keepdim=True)
    return v * (g / norm)
