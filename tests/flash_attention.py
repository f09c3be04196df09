"""The functions of the package flash_attn, computed by PyTorch, so that transformers' flash attention runs on a CPU."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import modeling_flash_attention_utils as flash


def varlen(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    softmax_scale: float | None = None,
    causal: bool = False,
) -> Tensor:
    """Attention within each segment. q, k, v: (tokens, heads, head_dim)."""
    assert q.dtype == torch.bfloat16
    assert cu_seqlens_q.dtype == torch.int32
    bounds = cu_seqlens_q.tolist()
    assert torch.equal(cu_seqlens_q, cu_seqlens_k)
    assert bounds[-1] == len(q)
    assert max(b - a for a, b in pairwise(bounds)) <= min(max_seqlen_q, max_seqlen_k)
    parts = [
        padded(q[None, a:b], k[None, a:b], v[None, a:b], softmax_scale, causal) for a, b in pairwise(bounds)
    ]
    return torch.cat(parts, 1)[0]


def padded(
    q: Tensor, k: Tensor, v: Tensor, softmax_scale: float | None = None, causal: bool = False
) -> Tensor:
    """Attention of whole rows. q, k, v: (rows, tokens, heads, head_dim)."""
    heads = (tensor.transpose(1, 2) for tensor in (q, k, v))
    attended = F.scaled_dot_product_attention(*heads, is_causal=causal, scale=softmax_scale, enable_gqa=True)
    return attended.transpose(1, 2)


def use_flash(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a network of transformers compute with flash attention, by these functions."""
    monkeypatch.setattr(flash, "_loaded_implementation", "flash_attention_2")
    monkeypatch.setattr(flash, "_flash_fn", padded)
    monkeypatch.setattr(flash, "_flash_varlen_fn", varlen)
    monkeypatch.setattr(flash, "_process_flash_kwargs_fn", flash._lazy_define_process_function(varlen))
    network.config._attn_implementation_internal = "flash_attention_2"
