"""The language model's network: transformers' LLaMA, new or read from a Hugging Face folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spiritlm_cli.checkpoints.config import read_json
from spiritlm_cli.checkpoints.files import TensorFile, load_into, read_tensors, unset
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.torchaudio_guard import broken_torchaudio_hidden

with broken_torchaudio_hidden():
    from transformers.models.llama.configuration_llama import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaForCausalLM, LlamaRotaryEmbedding

__all__ = ["LlamaForCausalLM", "load_network", "new_network"]

# Where one of these is missing, transformers would take that of LLaMA 7B.
_REQUIRED = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "max_position_embeddings",
)  # fmt: skip


def new_network(**config: Any) -> LlamaForCausalLM:
    """A network with new weights, in float32, from the values of a `config.json`.

    Raises ValueError, or what transformers raises, where they make no network.
    """
    return LlamaForCausalLM(_read_config(config))


def load_network(folder: Path, device: torch.device, dtype: torch.dtype) -> LlamaForCausalLM:
    """The network in a Hugging Face folder: `config.json`, and the weights in `model.safetensors` or
    `pytorch_model.bin`, whole or sharded.

    Raises CheckpointError that names the file, and what in it is unknown, missing or of another shape.
    """
    path = folder / "config.json"
    values = read_json(path)
    network = unset(lambda: LlamaForCausalLM(_read_config(values)), path)
    file = _read_weights(folder)
    if network.config.tie_word_embeddings and "model.embed_tokens.weight" in file.tensors:
        # the head is the embedding, and may be stored or not
        tensors = file.tensors | {"lm_head.weight": file.tensors["model.embed_tokens.weight"]}
        file = TensorFile(file.path, tensors)
    # rotary_emb.inv_freq: computed from the configuration, yet stored by old versions of transformers
    load_into(
        network.to(dtype), file, rename=lambda name: None if name.endswith("rotary_emb.inv_freq") else name
    )
    network.tie_weights()
    # no weights of it are in the file; its frequencies stay float32
    network.model.rotary_emb = LlamaRotaryEmbedding(network.config)
    return network.to(device).eval()


def _read_config(values: Mapping[str, Any]) -> LlamaConfig:
    if values.get("model_type", "llama") != "llama":
        raise ValueError(f"model_type is {values['model_type']!r}, expected 'llama'")
    if missing := [name for name in _REQUIRED if name not in values]:
        raise ValueError(f"missing key {', '.join(map(repr, missing))}")
    # LLaMA's own configuration has a pad_token_id of -1, which is no row of the embedding; none is needed here.
    config = LlamaConfig(**{**values, "pad_token_id": None})
    if config.num_attention_heads % config.num_key_value_heads:
        raise ValueError(
            f"{config.num_key_value_heads} key-value heads don't divide {config.num_attention_heads} heads"
        )
    return config


def _read_weights(folder: Path) -> TensorFile:
    """The tensors of `model.safetensors` or `pytorch_model.bin`, or of the shards that their index names."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return read_tensors(folder / name)
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = read_json(index).get("weight_map")
            if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
                raise CheckpointError(f"{index}: has no weight_map from tensors to files")
            tensors: dict[str, Tensor] = {}
            for shard in sorted(set(shards.values())):
                tensors |= read_tensors(folder / Path(shard).name).tensors
            return TensorFile(index, tensors)
    raise CheckpointError(f"{folder / 'model.safetensors'}: missing (or pytorch_model.bin)")
