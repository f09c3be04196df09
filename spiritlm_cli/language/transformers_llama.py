"""transformers' LLaMA: the network that training computes with, and the reference that inference is tested against.

Inference takes from it the rotary embeddings and activations that LLaMA 2 does not have.
"""

import reprlib
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from spiritlm_cli.language.loading import LlamaConfig, LlamaWeights, required_keys
from spiritlm_cli.language.quantization import suppress_import_warnings
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio(), suppress_import_warnings():
    from transformers.activations import ACT2FN
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
    from transformers.models.llama import configuration_llama
    from transformers.models.llama.modeling_llama import LlamaForCausalLM, LlamaRotaryEmbedding

__all__ = ["LlamaForCausalLM", "as_weights", "new_activation", "new_network", "scaled_rope"]


def new_network(**config: Any) -> LlamaForCausalLM:
    """Create a network with new weights, in float32. config: the values of a `config.json`.

    Raises ValueError for a size that is missing, and what transformers raises for values that make no network.
    """
    if missing := [name for name in required_keys() if name not in config]:
        raise ValueError(f"missing key {', '.join(map(repr, missing))}")
    # LLaMA's own configuration has a pad_token_id of -1, which is no row of the embedding; none is needed here
    return LlamaForCausalLM(configuration_llama.LlamaConfig(**{**config, "pad_token_id": None}))


def as_weights(network: Any) -> LlamaWeights:
    """Convert transformers' LLaMA, Qwen 2 or Mistral to weights for inference, which share its memory."""
    values = network.config
    rope = values.rope_parameters
    config = LlamaConfig(
        vocab_size=values.vocab_size,
        hidden_size=values.hidden_size,
        intermediate_size=values.intermediate_size,
        num_hidden_layers=values.num_hidden_layers,
        num_attention_heads=values.num_attention_heads,
        max_position_embeddings=values.max_position_embeddings,
        num_key_value_heads=values.num_key_value_heads,
        head_dim=getattr(values, "head_dim", None),
        model_type=values.model_type,
        hidden_act=values.hidden_act,
        rms_norm_eps=values.rms_norm_eps,
        rope_theta=rope["rope_theta"],
        rope_scaling=dict(rope) if rope["rope_type"] != "default" else None,
        attention_bias=getattr(values, "attention_bias", False),
        mlp_bias=getattr(values, "mlp_bias", False),
        tie_word_embeddings=values.tie_word_embeddings,
    )
    with torch.device("meta"):
        weights = LlamaWeights(config)
    weights.load_state_dict(network.state_dict(), assign=True)
    return weights


def new_activation(name: str) -> nn.Module:
    """Create an activation, with its parameters if it has any. Raises ValueError for a name that is unknown."""
    if name not in ACT2FN:
        raise ValueError(f"hidden_act is {name!r}, expected one of {', '.join(ACT2FN)}")
    activation: nn.Module = ACT2FN[name]
    return activation


def scaled_rope(config: LlamaConfig) -> tuple[Tensor, float]:
    """Inverse frequencies of a scaled rotary embedding, and the factor that its cosines and sines are multiplied by.

    Frequencies that depend on the length of a sequence are those of a sequence of `max_position_embeddings` tokens, so
    that a new token does not change the keys before it. Returns (head_dim / 2,) float32, and the factor. Raises
    ValueError for parameters that transformers does not have, or that don't rotate whole heads.
    """
    parameters = config.rope_scaling or {}
    rope_type, known = parameters.get("rope_type", "default"), ("default", *ROPE_INIT_FUNCTIONS)
    if rope_type not in known:
        raise ValueError(f"rope_type is {rope_type!r}, expected one of {', '.join(known)}")
    values = {name: value for name, value in asdict(config).items() if value is not None}
    del values["model_type"]
    last_position = torch.tensor([[config.max_position_embeddings - 1]], device="cpu")
    try:
        with torch.device("cpu"):
            embedding = LlamaRotaryEmbedding(configuration_llama.LlamaConfig(**values))
            # sets the frequencies that depend on the length
            embedding(torch.zeros(1), last_position)
        frequencies, factor = embedding.inv_freq, float(embedding.attention_scaling)
    except Exception as error:  # KeyError, TypeError, ZeroDivisionError: it depends on rope_type
        message = " ".join(str(error).split())
        raise ValueError(f"rope_scaling is {reprlib.repr(parameters)}: {message}") from error
    if frequencies.shape != (config.dim_of_head // 2,) or not frequencies.isfinite().all():
        raise ValueError(
            f"rope_scaling is {reprlib.repr(parameters)}; it must give {config.dim_of_head // 2} finite frequencies"
        )
    return frequencies, factor
