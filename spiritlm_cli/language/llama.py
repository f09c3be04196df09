"""A LLaMA for inference: many token sequences at once, without padding.

Where a token is computed from nothing but itself (norms, all linear layers) the tokens of all sequences stand in one
matrix; attention sees one sequence at a time. What becomes of a sequence does not depend on the others: on a CPU to the
last bit, as oneDNN's rows don't depend on their neighbours.

Layers can lie on several devices: each computes where its weights are, and what goes through them moves along.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spiritlm_cli.language.loading import LlamaForCausalLM
from spiritlm_cli.language.placement import place_layers
from spiritlm_cli.language.quantization import Quantize, QuantizedLinear
from spiritlm_cli.nn.layers import bucket_padding, linear, prepack_weight


class KVCache:
    """What attention has seen of one sequence: keys and values of each layer, in memory that grows by doubling, where
    the layer is."""

    def __init__(self, layers: int) -> None:
        self.length = 0
        self._layers: list[Tensor | None] = [None] * layers

    def add(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add those of new tokens, each (heads, tokens, dim). Returns all, of the old and the new tokens.

        `length` is that before them until all layers have been added to.
        """
        stop = self.length + key.shape[1]
        held = self._layers[layer]
        if held is None or held.shape[2] < stop:
            grown = key.new_empty(2, key.shape[0], max(64, 2 * stop), key.shape[2])
            if held is not None:
                grown[:, :, : self.length] = held[:, :, : self.length]
            self._layers[layer] = held = grown
        keys, values = held.narrow(2, 0, stop).unbind()
        keys[:, self.length :] = key
        values[:, self.length :] = value
        return keys, values

    def copy(self) -> "KVCache":
        """The same, to be added to apart."""
        other = KVCache(len(self._layers))
        other.length = self.length
        for layer, held in enumerate(self._layers):
            if held is not None:
                own = torch.empty_like(held)
                own[:, :, : self.length] = held[:, :, : self.length]
                other._layers[layer] = own
        return other


@dataclass(frozen=True, eq=False)
class _Linear:
    """weight: (features out, features in), in oneDNN's order where that is used; bias: (features out,)."""

    weight: Tensor
    bias: Tensor | None

    @classmethod
    def of(
        cls, device: torch.device, *parts: nn.Linear, quantize: Quantize | None = None
    ) -> "_Linear | QuantizedLinear":
        """Layers that see the same, as one; their own weights are given up, so that nothing is held twice."""
        biases: list[Tensor] = [part.bias for part in parts if part.bias is not None]
        with torch.no_grad():
            weight = (
                torch.cat([part.weight for part in parts]) if len(parts) > 1 else parts[0].weight.detach()
            ).to(device)
            for part in parts:
                part.weight = nn.Parameter(part.weight.new_empty(0, device="meta"), requires_grad=False)
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

    @property
    def device(self) -> torch.device:
        return self.attention_norm.device


class PackedLlama:
    """Takes over a network's weights: the network itself can't be used any more.

    device: where sequences go in; what comes out of `last_hidden` is where the head is.
    """

    def __init__(
        self,
        network: LlamaForCausalLM,
        quantize: Quantize | None = None,
        devices: Sequence[torch.device] | None = None,
    ) -> None:
        """quantize: the linear layers, but for the head, as they are taken over one after another. devices: where they
        go, as `place_layers` has it; None: they stay where they are.

        Raises SpiritLMError where the layers can't be quantized, or the devices have no room.
        """
        config = network.config
        body = network.model
        places = [layer.input_layernorm.weight.device for layer in body.layers]
        first, last = body.embed_tokens.weight.device, network.lm_head.weight.device
        if devices:
            places = place_layers(body.layers, [body.embed_tokens], [body.norm, network.lm_head], devices)
            first, last = devices[0], devices[-1]
        self.config = config
        self.dtype: torch.dtype = network.dtype
        self._embedding = body.embed_tokens.weight.detach().to(first)
        self.device: torch.device = self._embedding.device
        attention = body.layers[0].self_attn
        self._heads = config.num_attention_heads, config.num_key_value_heads
        self._dim, self._scale = attention.head_dim, attention.scaling
        self._activation: Callable[[Tensor], Tensor] = body.layers[0].mlp.act_fn
        self._epsilon: float = config.rms_norm_eps
        self._layers = [
            _Layer(
                layer.input_layernorm.weight.detach().to(place),
                _Linear.of(
                    place,
                    layer.self_attn.q_proj,
                    layer.self_attn.k_proj,
                    layer.self_attn.v_proj,
                    quantize=quantize,
                ),
                _Linear.of(place, layer.self_attn.o_proj, quantize=quantize),
                layer.post_attention_layernorm.weight.detach().to(place),
                _Linear.of(place, layer.mlp.gate_proj, layer.mlp.up_proj, quantize=quantize),
                _Linear.of(place, layer.mlp.down_proj, quantize=quantize),
            )
            for layer, place in zip(body.layers, places, strict=True)
        ]
        self._norm = body.norm.weight.detach().to(last)
        self._head = _Linear.of(last, network.lm_head)
        self._turns = self._find_turns(network)

    def new_memory(self) -> KVCache:
        """Of a sequence of which nothing has been seen."""
        return KVCache(len(self._layers))

    def last_hidden(self, sequences: Sequence[Tensor], seen: Sequence[KVCache] | None = None) -> list[Tensor]:
        """What goes into the head, for each token of each sequence.

        sequences: each (tokens,) int64, on `device`. seen: of each what came before, to be added to. Returns for each
        (tokens, hidden size).
        """
        lengths = [len(tokens) for tokens in sequences]
        starts = [past.length for past in seen] if seen else [0] * len(lengths)
        spare = bucket_padding(sum(lengths)) if self.device.type == "cpu" else 0
        # tokens that fill up, so that no layer has to; nobody looks at them
        tokens = F.pad(torch.cat(list(sequences)), (0, spare))
        places = [torch.arange(at, at + length) for at, length in zip(starts, lengths, strict=True)]
        positions = F.pad(torch.cat(places), (0, spare))
        turns = {device: self._turns_at(positions, device) for device in self._turns}
        x = F.embedding(tokens, self._embedding)
        for number, layer in enumerate(self._layers):
            x = x.to(layer.device)
            normed = self._normed(x, layer.attention_norm)
            attended = self._attended(number, layer, normed, turns[layer.device], lengths, seen)
            x = x + attended
            gate, up = layer.gate_up(self._normed(x, layer.feed_norm)).chunk(2, dim=-1)
            x = x + layer.down(self._activation(gate) * up)
        for past, length in zip(seen or (), lengths, strict=bool(seen)):
            past.length += length
        x = x.to(self._norm.device)
        return list(torch.split(self._normed(x, self._norm), [*lengths, spare]))[: len(lengths)]

    def next_logits(self, hidden: Sequence[Tensor]) -> Tensor:
        """Of what follows each sequence's last token: (sequences, vocabulary) float32."""
        return self._head(torch.stack([states[-1] for states in hidden])).float()

    def log_probabilities(self, hidden: Tensor, targets: Tensor, rows: int = 256) -> Tensor:
        """Natural logarithms of the probability of one token after each position.

        hidden: (tokens, hidden size), of `last_hidden`; targets: (tokens,) int64. Returns (tokens,) float32. The
        logits, which are many numbers a token, are computed for `rows` tokens at a time.
        """
        found = [hidden.new_zeros(0, dtype=torch.float32)]
        pieces = (
            zip(torch.split(hidden, rows), torch.split(targets.to(hidden.device), rows), strict=True)
            if len(hidden)
            else ()
        )
        for some, wanted in pieces:
            found.append(-F.cross_entropy(self._head(some).float(), wanted, reduction="none"))
        return torch.cat(found)

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, weight.shape, weight, self._epsilon)

    def _attended(
        self,
        number: int,
        layer: _Layer,
        x: Tensor,
        turns: tuple[Tensor, Tensor],
        lengths: list[int],
        seen: Sequence[KVCache] | None,
    ) -> Tensor:
        """Each sequence's attention, by itself; a single query sees all keys. x: (all tokens, hidden size), which comes
        out too."""
        queries, keys = self._heads
        heads = layer.query_key_value(x).view(len(x), queries + 2 * keys, self._dim)
        turned, value = torch.split(heads, [queries + keys, keys], dim=1)
        cos, sin = turns
        # rotary position embedding (Su et al. 2021): the halves of a head change places, one with its sign turned
        turned = torch.addcmul(turned * cos, turned.roll(self._dim // 2, -1), sin)
        out = x.new_empty(len(x), queries, self._dim)
        at = 0
        for place, length in enumerate(lengths):
            q, k = torch.split(turned[at : at + length].transpose(0, 1), [queries, keys])
            v = value[at : at + length].transpose(0, 1)
            if seen:
                k, v = seen[place].add(number, k, v)
            before = k.shape[1] - length
            # the last of several new tokens sees all; of those before each sees one less
            mask = k.new_ones(length, before + length, dtype=torch.bool).tril(before) if before else None
            one = F.scaled_dot_product_attention(
                q[None], k[None], v[None], mask if length > 1 else None, is_causal=length > 1 and not before,
                scale=self._scale, enable_gqa=queries != keys,
            )  # fmt: skip
            out[at : at + length] = one[0].transpose(0, 1)
            at += length
        out[at:] = 0
        return layer.out(out.flatten(1))

    def _turns_at(self, positions: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """Cosines and sines of some positions, (tokens,) int64: each (tokens, 1, dim of a head), on the device."""
        cos, sin = self._turns[device]
        at = positions.to(device)
        return cos[at], sin[at]

    def _find_turns(self, network: LlamaForCausalLM) -> dict[torch.device, tuple[Tensor, Tensor]]:
        """For each device with layers the cosines and sines of every position, each (context, 1, dim of a head); sines
        of first halves are negative."""
        positions = torch.arange(self.config.max_position_embeddings, device=self.device)
        cos, sin = network.model.rotary_emb(self._embedding[:1], positions[None])
        sign = torch.ones_like(sin[0])
        sign[:, : self._dim // 2] = -1
        cos, sin = cos[0, :, None], (sin[0] * sign)[:, None]
        return {
            device: (cos.to(device), sin.to(device)) for device in {layer.device for layer in self._layers}
        }
