from pathlib import Path

import torch
from causal_lm import causal_lm
from training_fixtures import in_two_processes

from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.options import LoopOptions
from spiritlm_cli.training.sharding import ShardedNetwork, ShardedOptimizer, whole_weights


def test_whole_weights_and_states_of_a_sharded_network(tmp_path: Path) -> None:
    """A step of two processes, and the same step from the saved state."""

    def train() -> None:
        loop = Loop(LoopOptions(output=tmp_path, device="cpu", bf16=False), "toy", 1)
        torch.manual_seed(0)
        network = causal_lm("llama", vocab_size=64, tie_word_embeddings=True)
        expected = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        assert loop.prepare(network, fsdp=True) is network
        weights = whole_weights(network)
        if loop.is_main:
            assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())
            assert weights["lm_head.weight"] is weights["model.embed_tokens.weight"]
        else:
            assert weights == {}
        optimizer = torch.optim.AdamW(network.parameters())
        parts = {"network": ShardedNetwork(network), "optimizer": ShardedOptimizer(optimizer)}

        def step() -> None:
            ids = torch.arange(8)[None] + loop.process
            loop.update(optimizer, network, network(input_ids=ids, labels=ids).loss, 0.1)

        step()
        torch.save({name: part.state_dict() for name, part in parts.items()}, tmp_path / f"{loop.process}.pt")
        step()
        after = {name: tensor.clone() for name, tensor in parts["network"].state_dict().items()}
        saved = torch.load(tmp_path / f"{loop.process}.pt", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        step()
        assert all(torch.equal(tensor, after[name]) for name, tensor in parts["network"].state_dict().items())

    in_two_processes(train, tmp_path)
