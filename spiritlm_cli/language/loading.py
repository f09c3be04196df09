"""The language model's network: transformers' LLaMA, new or read from a Hugging Face folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.checkpoints.lazy_tensors import LazyTensor, list_tensors, load_lazily, weight_files
from spiritlm_cli.checkpoints.tensors import build_on_meta
from spiritlm_cli.config import read_json
from spiritlm_cli.language.placement import place_layers, placer
from spiritlm_cli.language.quantization import quietly
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio(), quietly():
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


def load_network(
    folder: Path, device: torch.device | Sequence[torch.device], dtype: torch.dtype
) -> LlamaForCausalLM:
    """The network in a Hugging Face folder: `config.json`, and the weights in `model.safetensors` or
    `pytorch_model.bin`, whole or sharded.

    Each tensor goes straight to its device; the network is never in memory twice. device: of several, each gets layers
    in proportion to its free memory, the first the embedding too, the last the norm and the head; then only
    `PackedLlama` can compute with it. Raises CheckpointError that names the file, and what in it is unknown, missing or
    of another shape; SpiritLMError where several devices have too little memory.
    """
    path = folder / "config.json"
    values = read_json(path)
    network = build_on_meta(lambda: LlamaForCausalLM(_read_config(values)), path).to(dtype)
    named, stored = _list_weights(folder)
    if network.config.tie_word_embeddings and "model.embed_tokens.weight" in stored:
        # the head is the embedding, and may be stored or not
        stored["lm_head.weight"] = stored["model.embed_tokens.weight"]
    devices = [device] if isinstance(device, torch.device) else device
    body = network.model
    layers = place_layers(body.layers, [body.embed_tokens], [body.norm, network.lm_head], devices)
    # rotary_emb.inv_freq: computed from the configuration, yet stored by old versions of transformers
    load_lazily(
        network,
        named,
        stored,
        device_of=placer(layers, devices),
        rename=lambda name: None if name.endswith("rotary_emb.inv_freq") else name,
    )
    if devices[0] == devices[-1]:
        network.tie_weights()
    # no weights of it are in the file; its frequencies stay float32
    body.rotary_emb = LlamaRotaryEmbedding(network.config).to(devices[0])
    return network.eval()


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


def _list_weights(folder: Path) -> tuple[Path, dict[str, LazyTensor]]:
    """What names the weights of a folder, and the tensors of all its files."""
    named, files = weight_files(folder)
    stored: dict[str, LazyTensor] = {}
    for file in files:
        stored |= list_tensors(file)
    return named, stored
