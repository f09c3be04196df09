"""The optimizer of the language model."""

from typing import Any

import torch
from torch import nn

from spiritlm_cli.errors import MissingPackageError
from spiritlm_cli.training.language_model_options import LanguageModelOptions


def new_optimizer(network: nn.Module, options: LanguageModelOptions) -> torch.optim.Optimizer:
    """AdamW with weight decay for matrices only. Raises MissingPackageError for 8-bit moments without bitsandbytes."""
    trained = [p for p in network.parameters() if p.requires_grad]
    decayed = [p for p in trained if p.ndim > 1]
    others = [p for p in trained if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": 0.1},
        {"params": others, "weight_decay": 0.0},
    ]
    if options.optimizer == "adamw":
        return torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise MissingPackageError(
            f"bitsandbytes can't be imported ({error}); --optimizer adamw-8bit needs it; "
            "try: pip install bitsandbytes"
        ) from error
    optimizer: torch.optim.Optimizer = AdamW8bit(groups, betas=(0.9, 0.95))
    return optimizer
