"""Speed of training beside that of transformers' Trainer, on a tiny network."""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


def test_both_sides_train_the_same_network(
    script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = script("training.py")
    tiny = {"dim": 16, "layers": 1, "heads": 2, "ffn": 24, "batch": 2, "context": 64}
    monkeypatch.setitem(training.SIZES, "nano", tiny)
    arguments = argparse.Namespace(
        size="nano", steps=3, device="cpu", bf16=False, checkpointing=False, workers=0, batch=None, context=32
    )
    training.write_lines(tmp_path / "lines.txt")
    options = training.options_of(arguments, tmp_path)
    for run in (training.run_ours, training.run_trainer):
        speeds = run(options)
        assert len(speeds) == 3
        assert min(speeds) > 0
    network = training.new_network(options)
    # of the forward and the backward pass; the products of the first layer's inputs have no gradient
    weights = sum(p.numel() for p in network.parameters() if p.ndim > 1) - network.config.vocab_size * 16
    operations = training.operations_per_token(network, 32)
    assert 5 * weights < operations < 8 * weights
