"""Causal language models of transformers, written as Hugging Face folders."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.files import write_text


def save_causal_lm(
    network: Any, folder: Path, dtype: torch.dtype, weights: Mapping[str, torch.Tensor] | None = None
) -> None:
    """Write the weights and the configuration of a network.

    dtype: number format of the weights. weights: in place of those of the network, which may have parts of them only.
    """
    tensors: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in (weights or network.state_dict()).items():
        # the head of tied embeddings is left out: transformers and our loader take the embedding's
        if tensor.data_ptr() not in seen:
            tensors[name] = tensor.to(dtype)
            seen.add(tensor.data_ptr())
    write_tensors(folder / "model.safetensors", tensors)
    write_text(folder / "config.json", config_json(network, dtype))


def config_json(network: Any, dtype: torch.dtype) -> str:
    """The `config.json` of a network whose weights are written in `dtype`."""
    # only values that differ from the defaults of transformers; its version does not matter for the weights
    content = network.config.to_diff_dict() | {
        "architectures": [type(network).__name__],
        "torch_dtype": str(dtype).removeprefix("torch."),
    }
    for name in ("transformers_version", "dtype"):  # dtype: in which the network computes
        content.pop(name, None)
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
