"""Supervision of attention by word alignment.

A decoder learns late which tokens of the other modality it has to attend to. Where pairs are aligned by word this is
known: when a token of a word is predicted, some heads are trained to attend to the tokens of that word in the other
modality, as in supervised attention for translation (Liu et al. 2016, Garg et al. 2019).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

# Heads of each supervised layer.
SUPERVISED_HEADS = 2
# Keeps the logarithm finite where no attention falls on a word.
_FLOOR = 1e-4


def supervised_layers(layers: int) -> range:
    """Indices of the three middle layers, or of all where there are fewer."""
    first = max(0, (layers - 3) // 2)
    return range(first, min(layers, first + 3))


def target_mask(words: Tensor, is_text: Tensor) -> Tensor:
    """Where attention should fall.

    words: (rows, length + 1) int64, index of the word of each token, −1 for none. is_text: (rows, length + 1) bool.
    Returns (rows, length, length) bool: [row, i, j] is whether input j is of the word of target i + 1, and of the other
    modality, and not after i.
    """
    target, source = words[:, 1:, None], words[:, None, :-1]
    other = is_text[:, 1:, None] != is_text[:, None, :-1]
    return ((target == source) & (target >= 0) & other).tril()


def attention_loss(attentions: Sequence[Tensor], mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean −log of the attention inside the mask, over targets that have any, and that attention itself.

    attentions: of each supervised layer, (rows, heads, length, length). mask: see `target_mask`. Returns two scalars;
    zeros where no target has a mask.
    """
    known = mask.any(-1)
    if not bool(known.any()):
        zero = attentions[0].new_zeros((), dtype=torch.float32)
        return zero, zero
    inside = torch.stack(
        [
            (attention[:, :SUPERVISED_HEADS].float() * mask[:, None]).sum(-1).transpose(0, 1)[:, known]
            for attention in attentions
        ]
    )
    return -(inside + _FLOOR).log().mean(), inside.detach().mean()
