"""A LLaMA, Qwen 2 or Mistral for inference on several token sequences at once, without padding.

Norms and linear layers compute each token on its own, so the tokens of all sequences form one matrix. Attention
computes one sequence at a time. No sequence affects another: on a CPU results are equal to the last bit, because the
rows of oneDNN's matrix product do not depend on their neighbors.

Layers may be on several devices. Each computes on its own device, and the hidden states move from one to the next.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spiritlm_cli.language.kv_cache import KVCache
from spiritlm_cli.language.loading import DecoderLayer, LlamaConfig, LlamaWeights
from spiritlm_cli.language.placement import place_layers
from spiritlm_cli.language.quantization import Quantize, QuantizedLinear
from spiritlm_cli.language.rope import rope_tables
from spiritlm_cli.language.token_scores import TokenScores
from spiritlm_cli.nn.layers import bucket_padding, linear, prepack_weight

# Positions for which the tables of the rotary embedding are computed at a time: a context of millions of tokens takes
# memory when it is used.
_ROPE_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class _Linear:
    """weight: (features out, features in), in oneDNN's layout if that is used. bias: (features out,)."""

    weight: Tensor
    bias: Tensor | None

    @classmethod
    def of(
        cls, device: torch.device, *layers: nn.Linear, quantize: Quantize | None = None
    ) -> "_Linear | QuantizedLinear":
        """Concatenate layers that have the same input, and release their weights so that none is held twice."""
        with torch.no_grad():
            weight = (
                torch.cat([layer.weight for layer in layers])
                if len(layers) > 1
                else layers[0].weight.detach()
            ).to(device)
            for layer in layers:
                layer.weight = nn.Parameter(layer.weight.new_empty(0, device="meta"), requires_grad=False)
            biases: list[Tensor] = [layer.bias for layer in layers if layer.bias is not None]
            bias = torch.cat(biases).to(device) if biases else None
            if quantize:
                return QuantizedLinear(weight, bias, quantize)
            return cls(prepack_weight(weight), bias)

    def __call__(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


@dataclass(frozen=True, eq=False)
class _Layer:
    attention_norm: Tensor
    query_key_value: _Linear | QuantizedLinear
    out: _Linear | QuantizedLinear
    feed_norm: Tensor
    gate_up: _Linear | QuantizedLinear
    down: _Linear | QuantizedLinear
    activation: Callable[[Tensor], Tensor]
    device: torch.device

    @classmethod
    def of(cls, layer: nn.Module, device: torch.device, quantize: Quantize | None) -> "_Layer":
        assert isinstance(layer, DecoderLayer)
        attention, feed = layer.self_attn, layer.mlp
        projections = attention.q_proj, attention.k_proj, attention.v_proj
        return cls(
            layer.input_layernorm.weight.detach().to(device),
            _Linear.of(device, *projections, quantize=quantize),
            _Linear.of(device, attention.o_proj, quantize=quantize),
            layer.post_attention_layernorm.weight.detach().to(device),
            _Linear.of(device, feed.gate_proj, feed.up_proj, quantize=quantize),
            _Linear.of(device, feed.down_proj, quantize=quantize),
            # the function itself: calling a module takes as long as a small activation
            F.silu if isinstance(feed.act_fn, nn.SiLU) else feed.act_fn.to(device).requires_grad_(False),
            device,
        )


class PackedLlama:
    """Compute hidden states, logits and log-probabilities of token sequences. A `Network`.

    vocab_size: number of logits. context_length: maximum number of tokens of a sequence. device: where token ids are
    expected. dtype: of the weights. Hidden states are returned on the device of the output head.
    """

    def __init__(
        self,
        weights: LlamaWeights,
        quantize: Quantize | None = None,
        devices: Sequence[torch.device] | None = None,
    ) -> None:
        """Takes the weights over: `weights` can't be used afterwards.

        quantize: bits of the linear layers except the head; each is quantized as it is taken over. devices: spread the
        layers over them as `place_layers` does; None leaves every layer where it is.

        Raises SpiritLMError if the layers can't be quantized or the devices have too little memory.
        """
        self.config: LlamaConfig = weights.config
        self.vocab_size: int = self.config.vocab_size
        self.context_length: int = self.config.max_position_embeddings
        body = weights.model
        layers = [layer for layer in body.layers if isinstance(layer, DecoderLayer)]
        layer_devices = [layer.input_layernorm.weight.device for layer in layers]
        first, last = body.embed_tokens.weight.device, weights.lm_head.weight.device
        if devices:
            ends = [body.embed_tokens], [body.norm, weights.lm_head]
            layer_devices = place_layers(layers, *ends, devices)
            first, last = devices[0], devices[-1]
        self.dtype: torch.dtype = weights.lm_head.weight.dtype
        self._embedding = body.embed_tokens.weight.detach().to(first)
        self.device: torch.device = self._embedding.device
        self._heads = self.config.num_attention_heads, self.config.key_value_heads
        self._dim = self.config.dim_of_head
        self._layers = [
            _Layer.of(layer, device, quantize) for layer, device in zip(layers, layer_devices, strict=True)
        ]
        self._norm = body.norm.weight.detach().to(last)
        self._head = _Linear.of(last, weights.lm_head)
        self._rope: dict[torch.device, tuple[Tensor, Tensor]] = {}
        self._extend_rope(1)

    def new_cache(self) -> KVCache:
        """Create an empty cache for one sequence."""
        return KVCache(len(self._layers))

    def next_logits(self, sequences: Sequence[Tensor], caches: Sequence[KVCache]) -> Tensor:
        """Logits after the last token of each sequence. As `Network.next_logits`."""
        return self.last_logits(self.hidden_states(sequences, caches))

    def score_tokens(self, sequences: Sequence[Tensor], contexts: Sequence[int]) -> list[TokenScores]:
        """Probabilities of the tokens after each context. As `Network.score_tokens`."""
        hidden = self.hidden_states(sequences)
        scores = self.token_scores(
            # the state before each token predicts it
            torch.cat([states[context - 1 : -1] for states, context in zip(hidden, contexts, strict=True)]),
            torch.cat([ids[context:] for ids, context in zip(sequences, contexts, strict=True)]),
        )
        counts = [len(ids) - context for ids, context in zip(sequences, contexts, strict=True)]
        return scores.split(counts)

    def hidden_states(
        self, sequences: Sequence[Tensor], caches: Sequence[KVCache] | None = None
    ) -> list[Tensor]:
        """Final hidden states, after the last norm, of each token of each sequence.

        sequences: each (tokens,) int64 on `device`, one token or more. caches: one for each sequence, with the tokens
        before; the new tokens are added to it. Returns for each sequence (tokens, hidden_size).
        """
        x = deque(self._residual_stream(sequences, caches), maxlen=1).pop()
        return _split(self._normalize(x.to(self._norm.device), self._norm), sequences)

    def layer_states(self, sequences: Sequence[Tensor]) -> list[Tensor]:
        """Residual stream of each token before the first layer and after each. As `Network.layer_states`."""
        states = torch.stack([x.to(self.device) for x in self._residual_stream(sequences, None)], dim=1)
        return [part.transpose(0, 1) for part in _split(states, sequences)]

    def last_logits(self, hidden: Sequence[Tensor]) -> Tensor:
        """Logits after the last token of each sequence.

        hidden: each (tokens, hidden_size), from `hidden_states`. Returns (sequences, vocab_size) float32.
        """
        return self._head(torch.stack([states[-1] for states in hidden])).float()

    def token_scores(self, hidden: Tensor, targets: Tensor, rows: int = 256) -> TokenScores:
        """Probability of one token after each position.

        hidden: (tokens, hidden_size), from `hidden_states`. targets: (tokens,) int64. rows: number of tokens whose
        logits are in memory at once. Returns the scores of (tokens,).
        """
        none = hidden.new_zeros(0, dtype=torch.float32)
        results = [TokenScores(none, none.bool())]
        for start in range(0, len(hidden), rows):
            logits = self._head(hidden[start : start + rows]).float()
            expected = targets[start : start + rows].to(hidden.device)
            results.append(TokenScores.of(logits, expected))
        return TokenScores.join(results)

    def _residual_stream(
        self, sequences: Sequence[Tensor], caches: Sequence[KVCache] | None
    ) -> Iterator[Tensor]:
        """Yield the embeddings, and the hidden states after each layer: (tokens of all sequences and padding, dim)."""
        lengths = [len(tokens) for tokens in sequences]
        starts = [cache.length for cache in caches] if caches else [0] * len(lengths)
        # rows that round the matrix up to a bucketed length, so that oneDNN reuses its compiled kernels
        padding = bucket_padding(sum(lengths)) if self.device.type == "cpu" else 0
        tokens = F.pad(torch.cat(list(sequences)), (0, padding))
        self._extend_rope(max((start + n for start, n in zip(starts, lengths, strict=True)), default=0))
        ranges = [torch.arange(start, start + n) for start, n in zip(starts, lengths, strict=True)]
        positions = F.pad(torch.cat(ranges), (0, padding))
        rope = {device: self._rope_at(positions, device) for device in self._rope}
        x = F.embedding(tokens, self._embedding)
        yield x
        for index, layer in enumerate(self._layers):
            x = x.to(layer.device)
            normed = self._normalize(x, layer.attention_norm)
            attended = self._attend(index, layer, normed, rope[layer.device], lengths, caches)
            x = x + attended
            gate, up = layer.gate_up(self._normalize(x, layer.feed_norm)).chunk(2, dim=-1)
            x = x + layer.down(layer.activation(gate) * up)
            yield x
        for cache, length in zip(caches or (), lengths, strict=bool(caches)):
            cache.length += length

    def _normalize(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, weight.shape, weight, self.config.rms_norm_eps)

    def _attend(
        self,
        index: int,
        layer: _Layer,
        x: Tensor,
        rope: tuple[Tensor, Tensor],
        lengths: list[int],
        caches: Sequence[KVCache] | None,
    ) -> Tensor:
        """Causal self-attention of each sequence. x: (all tokens, hidden_size); returns the same shape."""
        queries, keys = self._heads
        heads = layer.query_key_value(x).view(-1, queries + 2 * keys, self._dim)
        rotated = heads[:, : queries + keys]
        cos, sin = rope
        # rotary position embedding (Su et al. 2021): swap the halves of a head, one of them negated
        torch.addcmul(rotated * cos, rotated.roll(self._dim // 2, -1), sin, out=rotated)
        heads = heads.transpose(0, 1)
        out = x.new_zeros(x.shape[0], queries, self._dim)
        start = 0
        for sequence, length in enumerate(lengths):
            own = heads[:, start : start + length]
            key_value = own[queries:].view(2, keys, length, self._dim)
            if caches:
                key_value = caches[sequence].append(index, key_value)
            attended = self._attention(own[:queries], *key_value.unbind())
            out[start : start + length] = attended.transpose(0, 1)
            start += length
        return layer.out(out.flatten(1))

    def _attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of new tokens to themselves and to the tokens before them.

        q: (heads, new tokens, head_dim). k, v: (key-value heads, all tokens, head_dim). Returns the shape of q.
        """
        length, count = q.shape[1], k.shape[1]
        is_causal, mask = length > 1 and length == count, None
        if 1 < length < count:
            # the last of the new tokens sees all keys, each token before it one key less
            mask = k.new_ones(length, count, dtype=torch.bool).tril(count - length)
        batch = F.scaled_dot_product_attention(
            q[None], k[None], v[None], mask, is_causal=is_causal,
            scale=self._dim**-0.5, enable_gqa=q.shape[0] != k.shape[0],
        )  # fmt: skip
        return batch[0]

    def _extend_rope(self, positions: int) -> None:
        """Compute the tables of the rotary embedding for at least so many positions, or for the whole context."""
        known = max((len(cos) for cos, _ in self._rope.values()), default=0)
        if known >= min(positions, self.config.max_position_embeddings):
            return
        count = -(-max(positions, 2 * known) // _ROPE_BLOCK) * _ROPE_BLOCK
        cos, sin = rope_tables(self.config, count, self.device, self.dtype)
        devices = {layer.device for layer in self._layers}
        self._rope = {device: (cos.to(device), sin.to(device)) for device in devices}

    def _rope_at(self, positions: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Cosines and sines for (tokens,) int64 positions, each (tokens, 1, head_dim) on the device."""
        cos, sin = self._rope[device]
        index = positions.to(device)
        return cos[index], sin[index]


def _split(x: Tensor, sequences: Sequence[Tensor]) -> list[Tensor]:
    """The rows of each sequence, of (tokens of all sequences and padding, ...)."""
    lengths = [len(tokens) for tokens in sequences]
    return list(torch.split(x[: sum(lengths)], lengths))
