"""The optimizer of the language model."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from spiritlm_cli.errors import MissingPackageError, OptionError
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.optimizer import MuonWithAdamW, new_optimizer


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


@pytest.fixture
def network() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=11, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2
    )
    return LlamaForCausalLM(config)


def test_muon_is_for_the_matrices_of_layers(network: LlamaForCausalLM) -> None:
    options = LanguageModelOptions(output=Path("new"), optimizer="muon")
    muon, matrices, vectors = new_optimizer(network, options).param_groups
    names = {parameter: name for name, parameter in network.named_parameters()}
    assert {names[p] for p in matrices["params"]} == {"model.embed_tokens.weight", "lm_head.weight"}
    assert len(muon["params"]) == 2 * 7
    assert all("layers" in names[p] and p.ndim == 2 for p in muon["params"])
    assert len(vectors["params"]) == 2 * 2 + 1
    assert [group["weight_decay"] for group in (muon, matrices, vectors)] == [0.1, 0.1, 0.0]


def train(network: LlamaForCausalLM, optimizer: MuonWithAdamW, steps: int) -> list[float]:
    ids = torch.arange(11)[None]
    losses = []
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    for _ in range(steps):
        optimizer.zero_grad()
        loss = network(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_muon_updates_all_directions_of_a_matrix(network: LlamaForCausalLM) -> None:
    matrix = network.model.layers[0].mlp.up_proj.weight
    before = matrix.detach().clone()
    train(network, MuonWithAdamW(network), 1)
    sizes = torch.linalg.svdvals(matrix.detach() - before * (1 - 0.01 * 0.1))
    # the orthogonal matrix nearest to the gradient, roughly, with the root mean square that AdamW's updates have
    assert sizes.max() < 2 * sizes.min()
    rms = float((matrix.detach() - before).square().mean().sqrt())
    assert rms == pytest.approx(0.2 * 0.01, rel=0.3)


def test_muon_continues_from_its_state(network: LlamaForCausalLM) -> None:
    optimizer = MuonWithAdamW(network)
    train(network, optimizer, 3)
    weights, state = copy.deepcopy(network.state_dict()), copy.deepcopy(optimizer.state_dict())
    losses = train(network, optimizer, 20)
    network.load_state_dict(weights)
    resumed = MuonWithAdamW(network)
    resumed.load_state_dict(state)
    assert train(network, resumed, 20) == losses
    assert losses[-1] < losses[0] - 0.5
    with pytest.raises(KeyError):
        resumed.load_state_dict(torch.optim.AdamW(network.parameters()).state_dict())


def test_muon_is_not_split_among_processes() -> None:
    with pytest.raises(OptionError, match="is muon, whose update of a matrix needs all of it"):
        LanguageModelOptions(output=Path("new"), lines=(Path("a"),), optimizer="muon", fsdp=True).check()
