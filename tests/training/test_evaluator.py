from pathlib import Path

import torch
from text_models import lines_options, text_model
from training_fixtures import in_two_processes

from spiritlm_cli.training.evaluator import Evaluator
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.starting_model import starting_model


def test_items_are_shared_and_merged_in_order(tmp_path: Path) -> None:
    options = lines_options(text_model(tmp_path / "text", "llama"), tmp_path / "out")
    model = starting_model(options, [])

    def evaluate() -> None:
        evaluator = Evaluator(options, model, Loop(options, "lm", 1))
        own = evaluator.own("abcde")
        assert own == ("ace" if evaluator.is_main else "bd")
        assert evaluator.merge([letter.upper() for letter in own]) == ["A", "B", "C", "D", "E"]
        assert evaluator.sum(torch.tensor([len(own), 1])).tolist() == [5, 2]
        assert evaluator.merge(evaluator.own("a")) == ["a"]

    in_two_processes(evaluate, tmp_path)


def test_mode_computes_without_dropout(tmp_path: Path) -> None:
    options = lines_options(text_model(tmp_path / "text", "opt", dropout=0.5), tmp_path / "out")
    evaluator = Evaluator(options, starting_model(options, []), Loop(options, "lm", 1))
    network, ids = evaluator.model.network.train(), torch.arange(9)[None]
    with evaluator.mode(), torch.no_grad():
        assert torch.equal(network(ids).logits, network(ids).logits)
    assert network.training
    assert evaluator.own([1, 2]) == evaluator.merge([1, 2]) == [1, 2]
