"""Attention within the documents of packed rows: how a network is told where they begin."""

from enum import Enum
from typing import Any

import torch
from torch import Tensor

from spiritlm_cli.third_party import silence_transformers
from spiritlm_cli.training.language_model_options import is_flash

# A document of 5 and one of 4 tokens, the first in two versions.
_FIRST, _OTHER, _SECOND = (1, 2, 3, 4, 5), (5, 3, 1, 2, 4), (4, 2, 3, 1)


class Packing(Enum):
    """How a network keeps the documents of a row apart.

    VARLEN: flash attention is given the bounds of the documents; it does not compute what lies outside of them.
    POSITIONS: transformers derives the mask from positions that restart at 0, together with the network's sliding
    windows. MASK: an explicit mask, for networks that do not pass positions on to their mask. NONE: not at all.
    """

    VARLEN = "varlen"
    POSITIONS = "positions"
    MASK = "mask"
    NONE = "none"


def find_packing(network: Any) -> Packing:
    """Find the first way that is correct for a network, by computing two short documents packed and alone.

    Flash attention computes in bfloat16. Recurrent networks (Mamba, RWKV) have no way, nor have networks with sliding
    windows that ignore positions.
    """
    training = network.training
    network.eval()
    try:
        flash = is_flash(network.config._attn_implementation)
        for packing in (Packing.VARLEN,) if flash else (Packing.POSITIONS, Packing.MASK):
            if packing is Packing.MASK and _has_windows(network.config):
                continue
            # of what flash attention converts, transformers would warn
            with silence_transformers():
                separates = _separates(network, packing)
            if separates:
                return packing
    finally:
        network.train(training)
    return Packing.NONE


def forward_arguments(packing: Packing, positions: Tensor, network: Any) -> dict[str, Any]:
    """Arguments of a network's `forward` for packed rows. positions: (rows, length) int64, 0 begins a document.

    `use_cache=False` also matters: with a cache, transformers takes no mask from positions.
    """
    arguments: dict[str, Any] = {"use_cache": False}
    if packing is not Packing.NONE:
        arguments["position_ids"] = positions
    if packing is Packing.VARLEN:
        bounds = document_bounds(positions)
        # no document is longer than a row, and the longest would have to be copied from the GPU
        longest = positions.shape[1]
        arguments |= {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds}
        arguments |= {"max_length_q": longest, "max_length_k": longest}
    if packing is Packing.MASK:
        eager = network.config._attn_implementation == "eager"
        arguments["attention_mask"] = (
            additive(document_mask(positions)) if eager else document_mask(positions)
        )
    return arguments


def document_bounds(positions: Tensor) -> Tensor:
    """Where documents begin if the rows are put one after another, and their end: (documents + 1,) int32.

    positions: (rows, length) int64, 0 begins a document, as does each row.
    """
    begins = positions == 0
    begins[:, 0] = True
    starts = begins.flatten().nonzero().flatten()
    return torch.cat([starts, starts.new_tensor([positions.numel()])]).int()


def document_mask(positions: Tensor) -> Tensor:
    """Mask of causal attention within documents.

    positions: (rows, length) int64, 0 begins a document. Returns (rows, 1, length, length) bool: [row, 0, i, j] is True
    if token i attends to token j.
    """
    documents = (positions == 0).cumsum(-1)
    return (documents[:, :, None] == documents[:, None, :]).tril()[:, None]


def additive(mask: Tensor) -> Tensor:
    """The mask as float32 to add to the attention scores: 0 where it is True, otherwise the lowest number."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, torch.finfo(torch.float32).min)


def _has_windows(config: Any) -> bool:
    """Whether some layers attend to the last tokens only, which an explicit mask for all layers would undo."""
    config = config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return any(kind != "full_attention" for kind in kinds)
    return getattr(config, "sliding_window", None) is not None


@torch.no_grad()
def _separates(network: Any, packing: Packing) -> bool:
    """Whether the second document does not depend on the first, and is as it is alone."""
    device = next(network.parameters()).device
    flash = is_flash(network.config._attn_implementation)
    positions = torch.tensor([[*range(len(_FIRST)), *range(len(_SECOND))]] * 2, device=device)
    with torch.autocast(device.type, torch.bfloat16, enabled=flash):
        try:
            arguments = forward_arguments(packing, positions, network)
            packed, changed = (
                network(input_ids=torch.tensor([[*first, *_SECOND]] * 2, device=device), **arguments).logits[
                    1
                ]
                for first in (_FIRST, _OTHER)
            )
        except (TypeError, ValueError, RuntimeError):
            return False  # it takes no positions, or no such mask
        alone = network(input_ids=torch.tensor([_SECOND], device=device), use_cache=False).logits[0]
    packed, changed = packed[len(_FIRST) :], changed[len(_FIRST) :]
    rounding = torch.finfo(packed.dtype).eps
    size = alone.abs().max()
    return bool(
        (packed - changed).abs().max() <= 4 * rounding * size
        and (packed - alone).abs().max() <= rounding**0.5 * size
    )
