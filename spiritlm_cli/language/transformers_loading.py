"""Text models of transformers from Hugging Face folders, loaded without running code from them.

transformers reads no file of the folder. Code that a configuration names (`auto_map`) is ignored, never fetched or run:
the network is transformers' own of the configuration's `model_type`, or there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.checkpoints.lazy_tensors import iter_tensors
from spiritlm_cli.checkpoints.slamkit import read_values
from spiritlm_cli.checkpoints.tensors import build_on_meta, check_values
from spiritlm_cli.console import log
from spiritlm_cli.errors import CheckpointError, OutOfMemoryError
from spiritlm_cli.language.loading import list_weights
from spiritlm_cli.language.quantization import suppress_import_warnings
from spiritlm_cli.out_of_memory import is_out_of_memory
from spiritlm_cli.third_party import hide_broken_torchaudio, silence_transformers

with hide_broken_torchaudio(), suppress_import_warnings():
    from transformers import (
        CONFIG_MAPPING,
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
        DynamicCache,
    )
    from transformers.cache_utils import DynamicLayer

__all__ = ["DynamicCache", "DynamicLayer", "load_causal_lm", "load_text_classifier"]

# Settings of transformers' loader, which may name code or kernels to fetch, or what the options of a command decide.
_LOADER_SETTINGS = {
    "architectures", "attn_implementation", "auto_map", "dtype", "experts_implementation", "extra_config_files",
    "extra_files", "id2label", "kernel_config", "label2id", "name_or_path", "num_labels", "output_attentions",
    "output_hidden_states", "problem_type", "return_dict", "torch_dtype", "transformers_version",
    "transformers_weights", "use_cache", "use_kernels",
}  # fmt: skip
_MAX_SIZE = 1 << 24
_MAX_LAYERS = 1024


@dataclass(frozen=True)
class _Kind:
    """A kind of network.

    name: in messages. mapping: transformers' class for each configuration. values: of the configuration, in place of
    the file's.
    """

    name: str
    mapping: Mapping[Any, Any]
    values: dict[str, Any] = field(default_factory=dict)


def load_causal_lm(
    folder: Path, device: torch.device, dtype: torch.dtype, rope_theta: float | None = None
) -> Any:
    """Load the network of a Hugging Face folder, or of slamkit's around one.

    rope_theta: base of its rotary position embedding, instead of the configuration's.
    Raises CheckpointError for a `model_type` that transformers has no causal language model of, quantized weights,
    sizes that don't match, and missing weights; OutOfMemoryError if there is too little memory.
    """
    kind = _Kind("causal language model", MODEL_FOR_CAUSAL_LM_MAPPING)
    return _load(folder, kind, device, dtype, rope_theta)


def load_text_classifier(folder: Path, device: torch.device, labels: tuple[str, ...]) -> Any:
    """Load a sequence classifier in float32. labels: the names of its classes. Raises as `load_causal_lm`."""
    values = {"id2label": dict(enumerate(labels))}
    kind = _Kind("text classifier", MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, values)
    return _load(folder, kind, device, torch.float32)


def _load(
    folder: Path, kind: _Kind, device: torch.device, dtype: torch.dtype, rope_theta: float | None = None
) -> Any:
    path = folder / "config.json"
    with suppress_import_warnings():  # transformers imports modules as they are needed
        config = _read_config(path, kind)
        network_class = kind.mapping[type(config)]
    if rope_theta is not None:
        _set_rope_theta(config, rope_theta, path)
    index, stored = list_weights(folder)
    empty = build_on_meta(lambda: network_class(config), path)
    described = sum(parameter.numel() for parameter in empty.parameters())
    # transformers gives missing weights random values, which takes memory before it reports them
    if described > 2 * (size := sum(prod(tensor.shape) for tensor in stored.values())):
        raise CheckpointError(f"{path}: describes {described} weights, and {index.name} has {size}")
    cpu = torch.device("cpu")
    tensors = dict(zip(stored, iter_tensors((tensor, cpu, None) for tensor in stored.values()), strict=True))
    for name, tensor in tensors.items():
        check_values(stored[name].path, name, tensor)
    try:
        with silence_transformers(), suppress_import_warnings():
            network, report = network_class.from_pretrained(
                None,
                config=config,
                state_dict=tensors,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # the report has them
            )
        network = network.to(device).eval().requires_grad_(False)
    except Exception as error:  # the type depends on what does not fit
        if is_out_of_memory(error):
            raise OutOfMemoryError(f"{folder}: there is too little memory to load it") from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{index}: not the weights of {path.name}: {reason}") from error
    if mismatched := sorted(report["mismatched_keys"]):
        name, shape, expected = mismatched[0]
        raise CheckpointError(f"{index}: {name} is {tuple(shape)}, expected {tuple(expected)}")
    if missing := sorted(report["missing_keys"]):
        raise CheckpointError(f"{index}: missing tensor {', '.join(missing[:4])}")
    if others := sorted(report["unexpected_keys"]):
        log.warning("%s: %d tensors are not of the network: %s", index, len(others), ", ".join(others[:4]))
    return network


def _read_config(path: Path, kind: _Kind) -> Any:
    """The transformers configuration of a `config.json`, with the values that describe its network."""
    values = read_values(path)
    model_type = values.get("model_type")
    if model_type not in CONFIG_MAPPING or CONFIG_MAPPING[model_type] not in kind.mapping:
        raise CheckpointError(
            f"{path}: model_type is {model_type!r}, of which transformers has no {kind.name}"
        )
    if values.get("quantization_config"):
        raise CheckpointError(f"{path}: quantized weights can't be read; take the model's float weights")
    if nested := sorted(CONFIG_MAPPING[model_type].sub_configs):
        raise CheckpointError(
            f"{path}: a model of several networks ({', '.join(nested)}); take its text model alone"
        )
    _check_sizes(values, path)
    described = {name: value for name, value in values.items() if _describes_network(name)} | kind.values
    try:
        with silence_transformers():
            config = CONFIG_MAPPING[model_type](**described)
    except Exception as error:  # of the validation of transformers
        raise CheckpointError(f"{path}: {' '.join(str(error).split())}") from error
    if not 1 <= config.num_hidden_layers <= _MAX_LAYERS:
        raise CheckpointError(f"{path}: {config.num_hidden_layers} layers, expected 1 to {_MAX_LAYERS}")
    return config


def _set_rope_theta(config: Any, value: float, path: Path) -> None:
    """Raise CheckpointError if the network has no rotary position embedding, or several."""
    parameters = getattr(config, "rope_parameters", None)
    if not isinstance(parameters, dict) or "rope_theta" not in parameters:
        raise CheckpointError(
            f"{path}: a {config.model_type} has no single rotary position embedding; leave out --rope-theta"
        )
    parameters["rope_theta"] = value


def _describes_network(name: str) -> bool:
    return name not in {*_LOADER_SETTINGS, "model_type"} and not name.startswith(("_", "base_model_"))


def _check_sizes(values: Mapping[str, Any], path: Path) -> None:
    """Raise CheckpointError for a size that no network has: building it would take all memory."""
    for name, value in values.items():
        if isinstance(value, int) and not name.endswith("_token_id") and abs(value) > _MAX_SIZE:
            raise CheckpointError(f"{path}: {name} is {value}, more than {_MAX_SIZE}")
