"""The configuration and weights of a LLaMA, a Qwen 2 or a Mistral, read from a Hugging Face folder.

The three have one network, which `PackedLlama` computes; they differ in the biases of attention. Inference reads them
without transformers, whose import takes seconds. Only a scaled rotary embedding and an activation other than SiLU are
computed by transformers. Training uses transformers' LLaMA, which has the same parameters under the
same names (`transformers_llama`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import nn

from spiritlm_cli.checkpoints.lazy_tensors import LazyTensor, list_tensors, load_lazily, weight_files
from spiritlm_cli.checkpoints.slamkit import SLAMKIT_PREFIX, read_values
from spiritlm_cli.checkpoints.tensors import build_on_meta
from spiritlm_cli.config import Bounds, Fraction, Layers, Size, Steps, Text, from_mapping
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.placement import place_layers, tensor_placement

# Tokens of a context: the longest of a LLaMA is 10 million.
Positions = Annotated[int, Bounds(1, 1 << 24)]
_Factor = Annotated[float, Bounds(-1e9, 1e9)]
# The model types that have LLaMA's network; for each, whether attention's queries, keys and values have biases, and
# whether its output has one. None: as the configuration says.
_BIASES: dict[str, tuple[bool, bool] | None] = {
    "llama": None,
    "mistral": (False, False),
    "qwen2": (True, False),
}
# transformers' `sliding_window` of a Mistral whose configuration has none; null is no window.
_MISTRAL_WINDOW = 4096
RopeScaling = dict[str, bool | Text | _Factor | Annotated[list[_Factor], Bounds(0, 4096)] | None]


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes and constants of a network, under the names of transformers' `config.json`.

    model_type: "llama", "qwen2" (biases of queries, keys and values), or "mistral" (no biases).
    num_key_value_heads: None is `num_attention_heads`. head_dim: None is `hidden_size / num_attention_heads`.
    rope_theta: base of the rotary position embedding. rope_scaling: the other parameters of a rotary embedding that is
    not LLaMA 2's, with its `rope_type`; None is LLaMA 2's. partial_rotary_factor, original_max_position_embeddings:
    parameters of some scaled embeddings that may be outside `rope_scaling`.

    Raises ValueError for sizes that make no network, and for an activation or a rotary embedding that transformers
    does not have.
    """

    vocab_size: Size
    hidden_size: Size
    intermediate_size: Size
    num_hidden_layers: Layers
    num_attention_heads: Steps
    max_position_embeddings: Positions
    num_key_value_heads: Steps | None = None
    head_dim: Size | None = None
    model_type: str = "llama"
    hidden_act: Text = "silu"
    rms_norm_eps: Fraction = 1e-6
    rope_theta: Annotated[float, Bounds(1, 1e12)] = 10000.0
    rope_scaling: RopeScaling | None = None
    partial_rotary_factor: Fraction | None = None
    original_max_position_embeddings: Positions | None = None
    attention_bias: bool = False
    mlp_bias: bool = False
    tie_word_embeddings: bool = False

    def __post_init__(self) -> None:
        if self.model_type not in _BIASES:
            raise ValueError(f"model_type is {self.model_type!r}, expected one of {', '.join(_BIASES)}")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"{self.num_attention_heads} heads don't divide the hidden size of {self.hidden_size}"
            )
        if self.num_attention_heads % self.key_value_heads:
            raise ValueError(
                f"{self.key_value_heads} key-value heads don't divide {self.num_attention_heads} heads"
            )
        if self.dim_of_head % 2:
            raise ValueError(f"head_dim must be even, not {self.dim_of_head}")
        _new_activation(self.hidden_act)
        if self.rope_scaling:
            from spiritlm_cli.language.transformers_llama import scaled_rope

            scaled_rope(self)

    @property
    def key_value_heads(self) -> int:
        """Number of key-value heads in each layer."""
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def attention_biases(self) -> tuple[bool, bool]:
        """Whether attention's queries, keys and values have biases, and whether its output has one."""
        return _BIASES[self.model_type] or (self.attention_bias, self.attention_bias)

    @property
    def feed_bias(self) -> bool:
        """Whether the feed-forward layers have biases."""
        return self.mlp_bias and self.model_type == "llama"

    @property
    def dim_of_head(self) -> int:
        """Size of one attention head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads


class LlamaWeights(nn.Module):
    """The parameters of a network under transformers' names, for `PackedLlama`; they have no `forward`."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _Body(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)


class _Body(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size)


class DecoderLayer(nn.Module):
    """The parameters of one layer."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config.hidden_size)
        self.self_attn = _Attention(config)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size)
        self.mlp = _FeedForward(config)


class _Attention(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        size, (bias, out_bias) = config.hidden_size, config.attention_biases
        queries = config.num_attention_heads * config.dim_of_head
        keys = config.key_value_heads * config.dim_of_head
        self.q_proj = nn.Linear(size, queries, bias=bias)
        self.k_proj = nn.Linear(size, keys, bias=bias)
        self.v_proj = nn.Linear(size, keys, bias=bias)
        self.o_proj = nn.Linear(queries, size, bias=out_bias)


class _FeedForward(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        size, inner, bias = config.hidden_size, config.intermediate_size, config.feed_bias
        self.gate_proj = nn.Linear(size, inner, bias=bias)
        self.up_proj = nn.Linear(size, inner, bias=bias)
        self.down_proj = nn.Linear(inner, size, bias=bias)
        self.act_fn = _new_activation(config.hidden_act)


def _new_activation(name: str) -> nn.Module:
    """Create an activation, which may have parameters. Raises ValueError if transformers does not have it."""
    if name == "silu":
        return nn.SiLU()
    # the import takes seconds
    from spiritlm_cli.language.transformers_llama import new_activation

    return new_activation(name)


def required_keys() -> tuple[str, ...]:
    """The keys without which a `config.json` is refused; transformers would assume LLaMA 7B's values for them."""
    return tuple(field.name for field in fields(LlamaConfig) if field.default is MISSING)


def read_config(path: Path) -> LlamaConfig:
    """Read a `config.json`, as transformers 4 or 5 writes it, or slamkit around it.

    Keys that do not change the computation are ignored. Raises CheckpointError that names the file and the key, and for
    a sliding window.
    """
    values = read_values(path)
    if has_sliding_window(values):
        raise CheckpointError(f"{path}: attention with a sliding window is not that of LLaMA")
    values |= rope_values(values)
    known = {field.name for field in fields(LlamaConfig)}
    return from_mapping(LlamaConfig, values, path, ignore=set(values) - known)


def is_packed(values: Mapping[str, Any]) -> bool:
    """Whether `PackedLlama` computes the network that the values of a `config.json` describe."""
    return values.get("model_type", "llama") in _BIASES and not has_sliding_window(values)


def has_sliding_window(values: Mapping[str, Any]) -> bool:
    """Whether tokens see fewer tokens than the context: Mistral 7B 0.1, and a Qwen 2 that is configured so."""
    if values.get("model_type") == "qwen2":
        return bool(values.get("use_sliding_window"))
    window, context = values.get("sliding_window", _MISTRAL_WINDOW), values.get("max_position_embeddings")
    whole = isinstance(window, int) and isinstance(context, int) and window >= context
    return values.get("model_type") == "mistral" and window is not None and not whole


def rope_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `rope_theta` and `rope_scaling`, from where transformers looks for them in a `config.json`."""
    rope = values.get("rope_scaling") or values.get("rope_parameters") or {}
    if not isinstance(rope, Mapping):
        return {"rope_scaling": rope}
    result: dict[str, Any] = {"rope_scaling": None}
    if (theta := rope.get("rope_theta")) is not None:
        result["rope_theta"] = theta
    rope_type = next((rope[key] for key in ("rope_type", "type") if rope.get(key) is not None), "default")
    if (share := rope.get("partial_rotary_factor")) is not None:
        result["partial_rotary_factor"] = share
    if rope_type != "default":
        others = {key: value for key, value in rope.items() if key not in ("rope_theta", "type")}
        result["rope_scaling"] = others | {"rope_type": rope_type}
    return result


def load_weights(
    folder: Path, device: torch.device | Sequence[torch.device], dtype: torch.dtype
) -> LlamaWeights:
    """Read a Hugging Face folder: `config.json`, and the weights in `model.safetensors` or `pytorch_model.bin`, whole
    or sharded.

    Each tensor goes straight to its device, so the weights are never in memory twice. device: several devices get
    layers in proportion to their free memory; the embedding goes with the first, the norm and the head with the last.
    Raises CheckpointError that names the file and the tensors that are unknown, missing or of another shape;
    SpiritLMError if several devices have too little memory.
    """
    path = folder / "config.json"
    config = read_config(path)
    weights = build_on_meta(lambda: LlamaWeights(config), path).to(dtype)
    index, stored = list_weights(folder)
    if config.tie_word_embeddings and "model.embed_tokens.weight" in stored:
        # whether or not the head is stored as well
        stored["lm_head.weight"] = stored["model.embed_tokens.weight"]
    devices = [device] if isinstance(device, torch.device) else device
    body = weights.model
    layers = place_layers(list(body.layers), [body.embed_tokens], [body.norm, weights.lm_head], devices)
    # rotary_emb.inv_freq: computed from the configuration, yet stored by old versions of transformers
    load_lazily(
        weights,
        index,
        stored,
        device_of=tensor_placement(layers, devices),
        rename=lambda name: None if name.endswith("rotary_emb.inv_freq") else name,
    )
    if config.tie_word_embeddings and devices[0] == devices[-1]:
        weights.lm_head.weight = body.embed_tokens.weight
    return weights


def list_weights(folder: Path) -> tuple[Path, dict[str, LazyTensor]]:
    """The file that lists the weights of a folder, and the tensors of all its files, by their names in the network.

    Raises CheckpointError.
    """
    index, files = weight_files(folder)
    stored: dict[str, LazyTensor] = {}
    for file in files:
        stored |= list_tensors(file)
    return index, {name.removeprefix(SLAMKIT_PREFIX): tensor for name, tensor in stored.items()}
