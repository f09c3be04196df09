"""The LLaMA transformer (arXiv 2302.13971, 2307.09288), with Hugging Face's tensor names and configuration.

Written here, and not taken from transformers: of a small model's time on a CPU its import and its overhead a
token would be the most, and its models can't be imported beside a torchaudio that doesn't fit torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spiritlm_cli.checkpoints.config import from_mapping
from spiritlm_cli.errors import CheckpointError

# Keys of a Hugging Face configuration that say nothing of the network or of how it is used here.
_IGNORED = (
    "_name_or_path", "architectures", "attention_dropout", "bos_token_id", "dtype", "eos_token_id",
    "initializer_range", "pad_token_id", "pretraining_tp", "torch_dtype", "transformers_version", "use_cache",
)  # fmt: skip
# Keys that would change the network; this one is LLaMA with these values of them.
_FIXED = {
    "model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
    "rope_scaling": None,
}  # fmt: skip


@dataclass(frozen=True)
class LlamaConfig:
    """The network's sizes, by their names in `config.json`. Sizes are in values, the context in tokens."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    tie_word_embeddings: bool = False

    def __post_init__(self) -> None:
        if self.hidden_size % (2 * self.num_attention_heads):
            raise ValueError(
                f"{self.num_attention_heads} heads don't divide hidden_size {self.hidden_size} evenly"
            )
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"{self.num_key_value_heads} key-value heads don't divide {self.num_attention_heads} heads"
            )

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any], path: Path) -> "LlamaConfig":
        """Read a Hugging Face `config.json`, old or new.

        Raises CheckpointError that names the file and any key that is unknown, missing, or asks for another
        network.
        """
        values = dict(mapping)
        rope = values.pop("rope_parameters", None) or {}
        if rope.get("rope_type", "default") != "default":
            raise CheckpointError(f"{path}: rope_type {rope['rope_type']!r} is not supported, only 'default'")
        if "rope_theta" in rope:
            values["rope_theta"] = rope["rope_theta"]
        for key, expected in _FIXED.items():
            if values.pop(key, expected) != expected:
                raise CheckpointError(f"{path}: {key} is {mapping[key]!r}, expected {expected!r}")
        values.setdefault("num_key_value_heads", values.get("num_attention_heads"))
        head_size = values.pop("head_dim", None)
        config = from_mapping(cls, values, path, ignore=_IGNORED)
        if head_size not in (None, config.head_size):
            raise CheckpointError(f"{path}: head_dim is {head_size}, expected {config.head_size}")
        return config

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads, and transformers too."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu"} | fields


class Cache:
    """Keys and values of the tokens that have been read, so that each is computed once.

    capacity: the most tokens it can hold; `length` is how many it holds.
    """

    def __init__(self, config: LlamaConfig, capacity: int, like: Tensor, batch: int = 1) -> None:
        """like: a tensor of the device and dtype that the keys and values are to have."""
        shape = (2, config.num_hidden_layers, batch, config.num_key_value_heads, capacity, config.head_size)
        self._store = like.new_empty(shape)
        self.length = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put a layer's new keys and values after the old; returns all. (batch, heads, tokens, head) each."""
        end = self.length + keys.shape[2]
        self._store[0, layer, :, :, self.length : end] = keys
        self._store[1, layer, :, :, self.length : end] = values
        return self._store[0, layer, :, :, :end], self._store[1, layer, :, :, :end]


class Llama(nn.Module):
    """Token ids in, for each the logits of the next out."""

    def __init__(self, config: LlamaConfig, initialise: bool = True) -> None:
        """initialise: draw the weights from a normal distribution with deviation 0.02, as LLaMA's are; else
        they are whatever was in memory, which is quick, and enough where others are loaded into them."""
        super().__init__()
        self.config = config
        self.model = _Body(config)
        if not config.tie_word_embeddings:
            self.lm_head = _Linear(config.hidden_size, config.vocab_size)
        if initialise:
            for name, weight in self.named_parameters():
                if not name.endswith("norm.weight"):
                    nn.init.normal_(weight, std=0.02)

    def forward(self, ids: Tensor, cache: Cache | None = None, last_only: bool = False) -> Tensor:
        """ids: (batch, tokens) int64. Returns logits, (batch, tokens, vocabulary); with `last_only`, only
        those after each row's last token: (batch, 1, vocabulary).

        With a cache, the ids follow those that it holds, and are added: any number to an empty one, else one.
        """
        hidden = self.model(ids, cache)
        if last_only:
            hidden = hidden[:, -1:]
        head = self.model.embed_tokens if self.config.tie_word_embeddings else self.lm_head
        return F.linear(hidden, head.weight)


class _Linear(nn.Linear):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def reset_parameters(self) -> None:
        """Left to Llama, which knows whether it is worth its time."""


class _Embedding(nn.Embedding):
    def reset_parameters(self) -> None:
        """Left to Llama, as in _Linear."""


class _Body(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = _Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(_Layer(config, index) for index in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, ids: Tensor, cache: Cache | None) -> Tensor:
        hidden: Tensor = self.embed_tokens(ids)
        first = cache.length if cache is not None else 0
        rotation = _rotation(self.config, first, first + ids.shape[1], hidden)
        for layer in self.layers:
            hidden = layer(hidden, rotation, cache)
        if cache is not None:
            cache.length += ids.shape[1]
        normed: Tensor = self.norm(hidden)
        return normed


class _Layer(nn.Module):
    def __init__(self, config: LlamaConfig, index: int) -> None:
        super().__init__()
        self.self_attn = _Attention(config, index)
        self.mlp = _FeedForward(config)
        self.input_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, hidden: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None) -> Tensor:
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), rotation, cache)
        output: Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return output


class _Attention(nn.Module):
    def __init__(self, config: LlamaConfig, index: int) -> None:
        super().__init__()
        self.index = index
        self.head_size = config.head_size
        self.grouped = config.num_key_value_heads != config.num_attention_heads
        key_value_size = config.num_key_value_heads * config.head_size
        self.q_proj = _Linear(config.hidden_size, config.hidden_size)
        self.k_proj = _Linear(config.hidden_size, key_value_size)
        self.v_proj = _Linear(config.hidden_size, key_value_size)
        self.o_proj = _Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None) -> Tensor:
        queries = _rotate(self._heads(self.q_proj(hidden)), rotation)
        keys = _rotate(self._heads(self.k_proj(hidden)), rotation)
        values = self._heads(self.v_proj(hidden))
        if cache is not None:
            keys, values = cache.extend(self.index, keys, values)
        mixed = F.scaled_dot_product_attention(
            queries, keys, values, is_causal=queries.shape[2] > 1, enable_gqa=self.grouped
        )
        output: Tensor = self.o_proj(mixed.transpose(1, 2).flatten(2))
        return output

    def _heads(self, projected: Tensor) -> Tensor:
        """(batch, tokens, heads × head) to (batch, heads, tokens, head)."""
        batch, tokens, _ = projected.shape
        return projected.view(batch, tokens, -1, self.head_size).transpose(1, 2)


class _FeedForward(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate_proj = _Linear(config.hidden_size, config.intermediate_size)
        self.up_proj = _Linear(config.hidden_size, config.intermediate_size)
        self.down_proj = _Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        output: Tensor = self.down_proj(F.silu(self.gate_proj(hidden)) * self.up_proj(hidden))
        return output


def _rotation(config: LlamaConfig, first: int, end: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary position embedding (arXiv 2104.09864) for positions `first` to `end`.

    Returns two of (positions, head), from angles in float32 whatever the model's dtype; the two halves of a
    head are the two coordinates that are turned (Hugging Face's order).
    """
    half = torch.arange(0, config.head_size, 2, dtype=torch.float32, device=like.device)
    frequencies = 1.0 / config.rope_theta ** (half / config.head_size)
    angles = torch.outer(
        torch.arange(first, end, dtype=torch.float32, device=like.device), frequencies
    ).repeat(1, 2)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def _rotate(heads: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = rotation
    first, second = heads.chunk(2, -1)
    return heads * cosine + torch.cat((-second, first), -1) * sine
