"""Tiny causal language models of transformers, as Hugging Face folders with random weights."""

import json

import torch
from safetensors.torch import load_file, save_file

from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import AutoConfig, AutoModelForCausalLM

_SIZES = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
_FEED = {"intermediate_size": 24}
_GROUPED = _FEED | {"num_key_value_heads": 2, "head_dim": 4}
# Learned positions; partly rotated heads; capped logits and a window of 8 tokens in every other layer; norms of heads;
# a window in all layers, and in the layers after the first.
CONFIGS = {
    "opt": _SIZES | {"ffn_dim": 24, "word_embed_proj_dim": 16, "dropout": 0.0},
    "gpt2": _SIZES,
    "gpt_neox": _SIZES | _FEED,
    "gemma": _SIZES | _GROUPED,
    "gemma2": _SIZES | _GROUPED | {"sliding_window": 8, "query_pre_attn_scalar": 4},
    "qwen3": _SIZES | _GROUPED,
    "mistral": _SIZES | _GROUPED | {"sliding_window": 8},
    "qwen2 with a window": _SIZES
    | _FEED
    | {"num_key_value_heads": 2, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
}
# Of the kinds that `PackedLlama` computes.
PACKED = {kind: _SIZES | _FEED | {"num_key_value_heads": 2} for kind in ("llama", "qwen2")}

EXPERTS = {"mixtral": _SIZES | _GROUPED | {"num_local_experts": 2}}


def causal_lm(kind, **changes):
    """Create a network with large random weights, so that errors are visible."""
    config = AutoConfig.for_model(
        kind.split()[0], **json.loads(json.dumps((CONFIGS | PACKED | EXPERTS)[kind] | changes))
    )
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 2 * parameter.shape[-1] ** -0.5)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return network.eval()


def write_causal_lm(folder, kind, vocab_size=_SIZES["vocab_size"], **changes):
    """Write a network as a folder, and return it. changes: other values of `config.json`."""
    network = causal_lm(kind, vocab_size=vocab_size)
    network.save_pretrained(folder)
    change_config(folder, **changes)
    return network


def change_config(folder, **changes):
    """Change values of the `config.json` of a folder."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def wrap_as_slamkit(folder):
    """Turn a folder into one of slamkit's form."""
    path = folder / "config.json"
    base = json.loads(path.read_text())
    wrapper = {"model_type": "speech_language_model", "base_config": base, "vocab_size": base["vocab_size"]}
    path.write_text(json.dumps(wrapper))
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {f"lm.{name}": tensor for name, tensor in tensors.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
