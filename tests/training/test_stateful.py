import torch

from spiritlm_cli.training.optimizer import MuonWithAdamW
from spiritlm_cli.training.stateful import Optimizer, Stateful


def test_optimizers_are_such() -> None:
    network = torch.nn.Linear(2, 2)
    for optimizer in (torch.optim.AdamW(network.parameters()), MuonWithAdamW(network)):
        assert isinstance(optimizer, Optimizer)
        assert isinstance(optimizer, Stateful)


def test_a_network_is_stateful_and_no_optimizer() -> None:
    network = torch.nn.Linear(2, 2)
    assert isinstance(network, Stateful)
    assert not isinstance(network, Optimizer)
