"""LoRA adapters of peft: their files, and the network that they make of a base model.

An adapter is read without peft, which would import modules and fetch models that a configuration names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints.tensors import check_values, read_tensors
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# In front of the names of the network's modules.
ADAPTER_PREFIX = "base_model.model."

_MAX_RANK = 1 << 16
_MAX_ROWS = 1 << 20
# Settings of other methods than LoRA's own, with the values at which they change nothing.
_UNUSED: dict[str, tuple[Any, ...]] = {
    "alora_invocation_tokens": (None,),
    "alpha_pattern": (None, {}),
    "bias": ("none",),
    "init_lora_weights": (True, False, "gaussian", "eva", "orthogonal"),
    "layer_replication": (None,),
    "lora_bias": (False,),
    "rank_pattern": (None, {}),
    "target_parameters": (None, []),
    "use_bdlora": (None, False),
    "use_dora": (False,),
    "use_qalora": (False,),
}
_LORA = re.compile(r"(.+)\.lora_([AB])\.weight")
_ROWS = re.compile(r"(.+)\.token_adapter\.trainable_tokens_delta")
_WHOLE = re.compile(r"(.+)\.(weight|bias)")


@dataclass(frozen=True, eq=False)
class Adapter:
    """An adapter's tensors, by the name of the module that each changes.

    base: name or folder of the model that it was trained on, if it is recorded. pairs: A, (rank, in), and B,
    (out, rank), whose product times `scale` is added to a weight. rows: tokens, and their rows in an embedding or an
    output layer. whole: parameters that are replaced, by their names.
    """

    folder: Path
    base: str | None
    scale: float
    pairs: dict[str, tuple[Tensor, Tensor]]
    rows: dict[str, tuple[list[int], Tensor]]
    whole: dict[str, Tensor]


def is_adapter(folder: Path) -> bool:
    """Whether a folder has an adapter of peft."""
    return (folder / ADAPTER_CONFIG).is_file()


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter's folder.

    Raises CheckpointError for another method than LoRA, for LoRA with settings that can't be merged here, and for
    tensors that are missing, unknown or not finite.
    """
    path, weights = folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS
    if not path.is_file():
        raise CheckpointError(f"{path}: missing; not the folder of an adapter")
    values = read_json(path)
    rank, alpha = values.get("r"), values.get("lora_alpha")
    if values.get("peft_type") != "LORA":
        raise CheckpointError(f"{path}: peft_type is {values.get('peft_type')!r}; only LORA is known")
    for name, known in _UNUSED.items():
        if name in values and not any(value is values[name] or value == values[name] for value in known):
            raise CheckpointError(f"{path}: {name} is {values[name]!r}; merge this adapter with peft")
    if type(rank) is not int or not 1 <= rank <= _MAX_RANK or not isinstance(alpha, int | float):
        raise CheckpointError(f"{path}: r is {rank!r} and lora_alpha {alpha!r}, expected positive numbers")
    base = values.get("base_model_name_or_path")
    scale = alpha / (rank**0.5 if values.get("use_rslora") else rank)
    tensors = read_tensors(weights).tensors
    for name, tensor in tensors.items():
        check_values(weights, name, tensor)
    found = _sort(tensors, rank, weights)
    tokens = values.get("trainable_token_indices")
    rows = {name: (_tokens_of(name, tokens, len(one), path), one) for name, one in found.rows.items()}
    return Adapter(folder, base if isinstance(base, str) else None, scale, found.pairs, rows, found.whole)


@dataclass(frozen=True, eq=False)
class _Tensors:
    pairs: dict[str, tuple[Tensor, Tensor]]
    rows: dict[str, Tensor]
    whole: dict[str, Tensor]


def _sort(tensors: Mapping[str, Tensor], rank: int, path: Path) -> _Tensors:
    """Divide tensors by what they do."""
    matrices: dict[str, dict[str, Tensor]] = {}
    rows: dict[str, Tensor] = {}
    whole: dict[str, Tensor] = {}
    for full, tensor in tensors.items():
        name = full.removeprefix(ADAPTER_PREFIX)
        if match := _LORA.fullmatch(name):
            matrices.setdefault(match[1], {})[match[2]] = tensor
        elif match := _ROWS.fullmatch(name):
            rows[match[1]] = tensor
        elif (match := _WHOLE.fullmatch(name)) and "lora_" not in name:
            whole[name] = tensor
        else:
            raise CheckpointError(f"{path}: {full} is not known; merge this adapter with peft")
    for name, pair in matrices.items():
        if pair.keys() != {"A", "B"} or any(one.ndim != 2 for one in pair.values()):
            raise CheckpointError(f"{path}: {name} has not two matrices")
        if len(pair["A"]) != rank or pair["B"].shape[1] != rank:
            raise CheckpointError(f"{path}: the matrices of {name} have not the rank of {rank}")
    return _Tensors({name: (pair["A"], pair["B"]) for name, pair in matrices.items()}, rows, whole)


def _tokens_of(name: str, tokens: object, count: int, path: Path) -> list[int]:
    """The tokens whose rows an adapter has of a module: a list for the embedding alone, or one for each module."""
    if isinstance(tokens, dict):
        tokens = next((ids for key, ids in tokens.items() if name == key or name.endswith(f".{key}")), None)
    valid = isinstance(tokens, list) and all(type(one) is int and 0 <= one < _MAX_ROWS for one in tokens)
    if not isinstance(tokens, list) or not valid or len(tokens) != count:
        raise CheckpointError(f"{path}: trainable_token_indices are not the {count} rows of {name}")
    return tokens


@torch.no_grad()
def merge_adapter(network: Any, adapter: Adapter) -> None:
    """Change the weights of a base model to those of the model with the adapter, one after another.

    network: a causal language model of transformers, on a CPU; its embedding grows if the adapter has more tokens.
    Sums are computed in float32. Raises CheckpointError for a module that the network does not have, or of other sizes.
    """
    embedding = network.get_input_embeddings()
    name = next(name for name, module in network.named_modules() if module is embedding)
    whole = adapter.whole.get(f"{name}.weight", embedding.weight)
    count = max([len(whole), *(1 + max(tokens) for tokens, _ in adapter.rows.values() if tokens)])
    if count > len(embedding.weight):
        torch.manual_seed(0)
        network.resize_token_embeddings(count, mean_resizing=False)
    for name, (first, second) in adapter.pairs.items():
        module = _module(network, name, adapter)
        change = adapter.scale * (second.float() @ first.float())
        if not isinstance(module, nn.Linear):
            change = change.T  # GPT-2's layers have (in, out)
        weight = _parameter(module, "weight", change.shape, name, adapter)
        weight.copy_(weight.float() + change)
    for name, (tokens, rows) in adapter.rows.items():
        weight = _module(network, name, adapter).weight
        _parameter(_module(network, name, adapter), "weight", (len(weight), rows.shape[-1]), name, adapter)
        weight[torch.tensor(tokens, dtype=torch.int64)] = rows.to(weight.dtype)
    for full, tensor in adapter.whole.items():
        name, _, kind = full.rpartition(".")
        _parameter(_module(network, name, adapter), kind, tensor.shape, name, adapter).copy_(tensor)


def _module(network: Any, name: str, adapter: Adapter) -> Any:
    try:
        return network.get_submodule(name)
    except AttributeError:
        kind = network.config.model_type
        raise CheckpointError(
            f"{adapter.folder}: is for another model: a {kind} has no {name}; --from names the base model"
        ) from None


def _parameter(module: Any, kind: str, shape: Any, name: str, adapter: Adapter) -> Tensor:
    parameter = getattr(module, kind, None)
    if not isinstance(parameter, Tensor) or parameter.shape != tuple(shape):
        actual = tuple(parameter.shape) if isinstance(parameter, Tensor) else "missing"
        raise CheckpointError(
            f"{adapter.folder}: is for another model: {name}.{kind} is {actual}, expected {tuple(shape)}"
        )
    return parameter
