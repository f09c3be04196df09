"""The optimizer of the language model."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from spiritlm_cli.errors import MissingPackageError
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.stateful import Optimizer

_WEIGHT_DECAY = 0.1
_BETAS = (0.9, 0.95)


def new_optimizer(network: nn.Module, options: LanguageModelOptions) -> Optimizer:
    """The optimizer of `options`, with weight decay for matrices only.

    Raises MissingPackageError for 8-bit moments without bitsandbytes.
    """
    if options.optimizer == "muon":
        return MuonWithAdamW(network)
    groups = _groups(p for p in network.parameters() if p.requires_grad)
    if options.optimizer == "adamw":
        return torch.optim.AdamW(groups, betas=_BETAS, fused=True)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise MissingPackageError(
            f"bitsandbytes can't be imported ({error}); --optimizer adamw-8bit needs it; "
            "try: pip install bitsandbytes"
        ) from error
    optimizer: torch.optim.Optimizer = AdamW8bit(groups, betas=_BETAS)
    return optimizer


class MuonWithAdamW:
    """Muon (Jordan et al. 2024) for the matrices of the layers; AdamW for embeddings, the output layer and vectors.

    Steps of Muon are scaled to the size that AdamW's have (Liu et al. 2025), so one learning rate fits both.
    """

    def __init__(self, network: nn.Module) -> None:
        """network: not split among processes, as the update of a matrix depends on all of it."""
        modules = [m for m in network.modules() if isinstance(m, nn.Embedding)]
        if output := getattr(network, "get_output_embeddings", lambda: None)():
            modules.append(output)
        vocabulary = {id(p) for module in modules for p in module.parameters()}
        trained = [p for p in network.parameters() if p.requires_grad]
        matrices = [p for p in trained if p.ndim == 2 and id(p) not in vocabulary]
        chosen = {id(p) for p in matrices}
        others = _groups(p for p in trained if id(p) not in chosen)
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                [{"params": matrices}], weight_decay=_WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(others, betas=_BETAS, fused=True),
        ]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of both: matrices of the layers, other matrices, vectors."""
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Remove the gradients."""
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none)

    def step(self) -> None:
        """Do one step of both."""
        for optimizer in self._optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to continue."""
        return {"parts": [optimizer.state_dict() for optimizer in self._optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state. Raises KeyError or ValueError for that of another optimizer or network."""
        for optimizer, state in zip(self._optimizers, state_dict["parts"], strict=True):
            optimizer.load_state_dict(state)


def _groups(parameters: Iterable[Tensor]) -> list[dict[str, Any]]:
    trained = list(parameters)
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": _WEIGHT_DECAY},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
