"""transformers' LLaMA: the network that training computes with, and the reference that inference is tested against."""

from typing import Any

import torch

from spiritlm_cli.language.loading import LlamaConfig, LlamaWeights, required_keys
from spiritlm_cli.language.quantization import suppress_import_warnings
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio(), suppress_import_warnings():
    from transformers.models.llama import configuration_llama
    from transformers.models.llama.modeling_llama import LlamaForCausalLM

__all__ = ["LlamaForCausalLM", "as_weights", "new_network"]


def new_network(**config: Any) -> LlamaForCausalLM:
    """Create a network with new weights, in float32. config: the values of a `config.json`.

    Raises ValueError for a size that is missing, and what transformers raises for values that make no network.
    """
    if missing := [name for name in required_keys() if name not in config]:
        raise ValueError(f"missing key {', '.join(map(repr, missing))}")
    # LLaMA's own configuration has a pad_token_id of -1, which is no row of the embedding; none is needed here
    return LlamaForCausalLM(configuration_llama.LlamaConfig(**{**config, "pad_token_id": None}))


def as_weights(network: LlamaForCausalLM) -> LlamaWeights:
    """Convert a network to weights for inference, which share its memory."""
    values = network.config
    config = LlamaConfig(
        vocab_size=values.vocab_size,
        hidden_size=values.hidden_size,
        intermediate_size=values.intermediate_size,
        num_hidden_layers=values.num_hidden_layers,
        num_attention_heads=values.num_attention_heads,
        max_position_embeddings=values.max_position_embeddings,
        num_key_value_heads=values.num_key_value_heads,
        head_dim=values.head_dim,
        hidden_act=values.hidden_act,
        rms_norm_eps=values.rms_norm_eps,
        rope_theta=values.rope_parameters["rope_theta"],
        rope_type=values.rope_parameters["rope_type"],
        attention_bias=values.attention_bias,
        mlp_bias=values.mlp_bias,
        tie_word_embeddings=values.tie_word_embeddings,
    )
    with torch.device("meta"):
        weights = LlamaWeights(config)
    weights.load_state_dict(network.state_dict(), assign=True)
    return weights
