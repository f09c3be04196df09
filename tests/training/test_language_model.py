"""Training of the language model, interrupted and resumed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_fixtures import assert_same_weights, in_two_processes, interrupted, language_model_options
from typer.testing import CliRunner

from spiritlm_cli.cli.main import app
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.training.language_model import train

WEIGHTS = Path("spiritlm_model", "spirit-lm-expressive-7b", "model.safetensors")
SETTINGS = {"device": "cpu", "bf16": False, "steps": 5, "save_every": 1, "context": 48}


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole")
    train(language_model_options(corpus, output, **SETTINGS))
    return output


@pytest.mark.parametrize(("steps", "workers"), [(1, 0), (2, 2), (4, 1)])
def test_train_resumed_is_bit_identical(
    corpus: Path, whole: Path, tmp_path: Path, steps: int, workers: int
) -> None:
    with interrupted(steps):
        train(language_model_options(corpus, tmp_path, **SETTINGS, workers=2 - workers))
    train(language_model_options(corpus, tmp_path, **SETTINGS, workers=workers, resume=True))
    assert_same_weights(whole / WEIGHTS, tmp_path / WEIGHTS)


def test_train_in_two_processes_equals_one_with_twice_the_batch(corpus: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "steps": 2, "save_every": 2}
    train(language_model_options(corpus, tmp_path / "one", **settings, batch=4))
    two = language_model_options(corpus, tmp_path / "two", **settings)
    first, second = in_two_processes(lambda: train(two), tmp_path)
    assert "lm: 2 steps, loss" in first
    assert second == ""
    one, other = (
        torch.load(tmp_path / name / "training" / "lm.pt", weights_only=True)["parts"]
        for name in ("one", "two")
    )
    assert one["data"] == other["data"]
    for name, weight in one["network"].items():
        torch.testing.assert_close(weight, other["network"][name], atol=1e-5, rtol=0)
    # one process continues with the same rows in a step
    train(replace(two, steps=3, accumulate=2, resume=True))


def test_train_with_fsdp_equals_one_process_and_is_resumed(corpus: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "steps": 2, "accumulate": 2}
    train(language_model_options(corpus, tmp_path / "one", **settings))
    options = language_model_options(corpus, tmp_path / "two", **settings, batch=1, fsdp=True)

    def interrupted_training() -> None:
        with interrupted(1):
            train(options)

    in_two_processes(interrupted_training, tmp_path)
    in_two_processes(lambda: train(replace(options, resume=True)), tmp_path)
    # written in bfloat16
    assert_same_weights(tmp_path / "one" / WEIGHTS, tmp_path / "two" / WEIGHTS, tolerance=1e-3)
    lines = [
        json.loads((tmp_path / name / "training" / "lm.metrics.jsonl").read_text().splitlines()[-1])
        for name in ("one", "two")
    ]
    assert lines[0]["loss"] == pytest.approx(lines[1]["loss"], abs=1e-5)
    assert lines[0]["gradient_norm"] == pytest.approx(lines[1]["gradient_norm"], abs=1e-5)


def test_train_with_its_options_as_written_is_bit_identical(whole: Path, tmp_path: Path) -> None:
    command = ["train", "lm", "--config", whole / "training" / "lm.yaml", "-o", tmp_path, "--checkpointing"]
    result = CliRunner().invoke(app, [str(word) for word in command])
    assert result.exit_code == 0, result.stderr
    assert_same_weights(whole / WEIGHTS, tmp_path / WEIGHTS)
    lines = (tmp_path / "training" / "lm.metrics.jsonl").read_text().splitlines()
    first, *_, last = map(json.loads, lines)
    assert (first["step"], first["tokens"], last["step"], last["tokens"]) == (1, 96, 5, 480)
    assert {"loss", "text", "units", "learning_rate", "gradient_norm", "tokens_per_second"} <= first.keys()


def test_train_refuses_a_state_of_other_lanes(corpus: Path, tmp_path: Path) -> None:
    with interrupted(1):
        train(language_model_options(corpus, tmp_path, **SETTINGS))
    path = tmp_path / "training" / "lm.pt"
    state = torch.load(path, weights_only=True)
    state["parts"]["data"]["lanes"] = 7
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="had 7 rows in a step, now it has 2"):
        train(language_model_options(corpus, tmp_path, **SETTINGS, resume=True))
