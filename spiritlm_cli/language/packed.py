"""Many token sequences through a LLaMA at once, without padding.

Where a token is computed from nothing but itself (norms, all linear layers) the tokens of all sequences stand in one
matrix; attention sees one sequence at a time. What becomes of a sequence does not depend on the others: on a CPU to the
last bit, as oneDNN's rows don't depend on their neighbours.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from spiritlm_cli.language.network import LlamaForCausalLM
from spiritlm_cli.speech.layers import linear


def last_hidden(network: LlamaForCausalLM, sequences: Sequence[Tensor]) -> list[Tensor]:
    """What goes into the head, for each token of each sequence.

    sequences: each (tokens,) int64, on the network's device. Returns for each (tokens, hidden size).
    """
    lengths = [len(tokens) for tokens in sequences]
    x: Tensor = network.model.embed_tokens(torch.cat(list(sequences)))
    positions = torch.cat([torch.arange(length, device=x.device) for length in lengths])
    cos, sin = (turn[0, :, None] for turn in network.model.rotary_emb(x[None], positions[None]))
    for layer in network.model.layers:
        x = x + _attended(layer.self_attn, layer.input_layernorm(x), cos, sin, lengths)
        x = x + _fed(layer.mlp, layer.post_attention_layernorm(x))
    return list(torch.split(network.model.norm(x), lengths))


def log_probabilities(network: LlamaForCausalLM, hidden: Tensor, targets: Tensor, rows: int = 256) -> Tensor:
    """Natural logarithms of the probability of one token after each position.

    hidden: (tokens, hidden size), of `last_hidden`; targets: (tokens,) int64. Returns (tokens,) float32. The logits,
    which are many numbers a token, are computed for `rows` tokens at a time.
    """
    found = [hidden.new_zeros(0, dtype=torch.float32)]
    pieces = zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True) if len(hidden) else ()
    for some, wanted in pieces:
        logits = linear(some, network.lm_head.weight, network.lm_head.bias).float()
        found.append(-F.cross_entropy(logits, wanted, reduction="none"))
    return torch.cat(found)


def _attended(attention: Any, x: Tensor, cos: Tensor, sin: Tensor, lengths: list[int]) -> Tensor:
    """x: (all tokens, hidden size). cos, sin: (all tokens, 1, dim of a head)."""
    query, key, value = (
        linear(x, part.weight, part.bias).view(len(x), -1, attention.head_dim)
        for part in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    turned = _turned(query, cos, sin), _turned(key, cos, sin), value
    seen = []
    for of_one in zip(*(torch.split(stream, lengths) for stream in turned), strict=True):
        q, k, v = (stream.transpose(0, 1)[None] for stream in of_one)
        gqa = query.shape[1] != key.shape[1]
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=attention.scaling, enable_gqa=gqa)
        seen.append(out[0].transpose(0, 1))
    return linear(torch.cat(seen).flatten(1), attention.o_proj.weight, attention.o_proj.bias)


def _turned(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021), of the two halves of each head: (tokens, heads, dim)."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-second, first), dim=-1) * sin


def _fed(mlp: Any, x: Tensor) -> Tensor:
    gate = mlp.act_fn(linear(x, mlp.gate_proj.weight, mlp.gate_proj.bias))
    up = linear(x, mlp.up_proj.weight, mlp.up_proj.bias)
    return linear(gate * up, mlp.down_proj.weight, mlp.down_proj.bias)
