"""Supervision of attention by word alignment.

A decoder learns late in training which tokens of the other modality to attend to. In pairs with word alignment they are
known: when a token of a word is predicted, some heads are trained to attend to the tokens of the same word in the other
modality, as in supervised attention for machine translation (Liu et al. 2016, Garg et al. 2019).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

# Number of supervised heads in each supervised layer.
SUPERVISED_HEADS = 2
# Keeps the logarithm finite where the attention to a word is 0.
_FLOOR = 1e-4


def supervised_layers(layers: int) -> range:
    """Indices of the three middle layers, or of all where there are fewer."""
    first = max(0, (layers - 3) // 2)
    return range(first, min(layers, first + 3))


def target_mask(words: Tensor, is_text: Tensor) -> Tensor:
    """Mask of the inputs that each position should attend to.

    words: (rows, length + 1) int64, index of the word of each token, −1 for none. is_text: (rows, length + 1) bool.
    Returns (rows, length, length) bool: [row, i, j] is True if input j belongs to the same word as target i + 1, is of
    the other modality, and j ≤ i.
    """
    target, source = words[:, 1:, None], words[:, None, :-1]
    other = is_text[:, 1:, None] != is_text[:, None, :-1]
    return ((target == source) & (target >= 0) & other).tril()


def attention_loss(attentions: Sequence[Tensor], mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of −log(attention inside the mask) over the positions that have a mask, and the mean of that attention.

    attentions: (rows, heads, length, length) for each supervised layer. mask: as from `target_mask`.
    Returns two scalars; both 0 if the mask is empty.
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
