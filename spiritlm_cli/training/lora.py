"""LoRA by peft: a frozen network, trained by low-rank matrices beside its linear layers (Hu et al. 2021).

The rows of added tokens in the embedding and the output layer begin as noise, and are trained as they are.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import write_text
from spiritlm_cli.language.adapters import ADAPTER_CONFIG, ADAPTER_PREFIX, ADAPTER_WEIGHTS
from spiritlm_cli.third_party import hide_broken_torchaudio, needs_extra, silence_transformers

_NAME = "default"


def add_adapter(network: Any, rank: int, alpha: float, rows: Sequence[int], base: str) -> None:
    """Freeze a network, and add trainable matrices to all its linear layers except the output layer.

    network: a causal language model of transformers, which is changed in place. The product of a layer's two matrices
    is multiplied by alpha / rank; it is 0 at first. rows: of the embedding and the output layer that are trained too.
    base: name or folder of the model without the adapter, for the adapter's configuration.
    Raises MissingPackageError without peft, and CheckpointError for what `merge_adapter` can't merge: an output layer
    with a bias, which peft leaves out, and experts.
    """
    with needs_extra("peft", extra="lora", purpose="--lora"), hide_broken_torchaudio():
        from peft import LoraConfig, TaskType, inject_adapter_in_model
        from peft.tuners.tuners_utils import cast_adapter_dtype

    kind = network.config.model_type
    layers = (network.get_input_embeddings(), network.get_output_embeddings())
    if rows and getattr(layers[1], "bias", None) is not None:
        raise CheckpointError(f"{base}: a {kind} has an output layer with a bias; train it without --lora")
    names = [name for name, module in network.named_modules() if module in layers]
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules="all-linear",
        trainable_token_indices={name: list(rows) for name in names} if rows else None,
        task_type=TaskType.CAUSAL_LM,
        base_model_name_or_path=base,
    )
    network.requires_grad_(False)
    with silence_transformers():
        inject_adapter_in_model(config, network, _NAME)
    if network.peft_config[_NAME].target_parameters:
        raise CheckpointError(f"{base}: a {kind} has experts; train it without --lora")
    # weights of a frozen network may be bfloat16, in which small updates would be lost
    cast_adapter_dtype(network, _NAME)


def save_adapter(network: Any, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write the adapter of a network as peft does: `adapter_model.safetensors` and `adapter_config.json`.

    weights: in place of those of the network, which may have parts of them only.
    """
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(
        network, weights or None, adapter_name=_NAME, save_embedding_layers=False
    )
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in state.items():
        # tied embeddings have one tensor under two names
        if tensor.data_ptr() not in seen:
            tensors[f"{ADAPTER_PREFIX}{name}"] = tensor
            seen.add(tensor.data_ptr())
    write_tensors(folder / ADAPTER_WEIGHTS, tensors)
    values = network.peft_config[_NAME].to_dict() | {"inference_mode": True}
    content = {name: sorted(value) if isinstance(value, set) else value for name, value in values.items()}
    write_text(folder / ADAPTER_CONFIG, json.dumps(content, indent=2, sort_keys=True) + "\n")


class TrainedParameters:
    """The parameters of a network that training changes, as a part of a training's state."""

    def __init__(self, network: Any) -> None:
        """network: parameters that need no gradient are not in the state."""
        self._parameters = {name: one for name, one in network.named_parameters() if one.requires_grad}

    def state_dict(self) -> dict[str, Any]:
        """Return the parameters by name; they are not copied."""
        return {name: one.detach() for name, one in self._parameters.items()}

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Set the parameters. Raises ValueError for other names or shapes."""
        shapes = {name: one.shape for name, one in self._parameters.items()}
        if {name: one.shape for name, one in state_dict.items()} != shapes:
            raise ValueError("the state has other parameters")
        with torch.no_grad():
            for name, one in self._parameters.items():
                one.copy_(state_dict[name])
