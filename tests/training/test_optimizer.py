"""The optimizer of the language model."""

import sys
from pathlib import Path

import pytest
import torch

from spiritlm_cli.errors import MissingPackageError
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.optimizer import new_optimizer


def test_matrices_alone_decay() -> None:
    network = torch.nn.Linear(3, 2)
    network.requires_grad_(True)
    decayed, others = new_optimizer(network, LanguageModelOptions(output=Path("new"))).param_groups
    assert [one is network.weight for one in decayed["params"]] == [True]
    assert [one is network.bias for one in others["params"]] == [True]
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


def test_8_bit_moments_need_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    options = LanguageModelOptions(output=Path("new"), optimizer="adamw-8bit")
    with pytest.raises(MissingPackageError, match="try: pip install bitsandbytes"):
        new_optimizer(torch.nn.Linear(3, 2), options)
