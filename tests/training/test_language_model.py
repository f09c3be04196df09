"""Training of the language model, interrupted and resumed."""

from pathlib import Path

import pytest
import torch
from training_fixtures import assert_same_weights, interrupted, language_model_options

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


def test_train_refuses_a_state_of_other_lanes(corpus: Path, tmp_path: Path) -> None:
    with interrupted(1):
        train(language_model_options(corpus, tmp_path, **SETTINGS))
    path = tmp_path / "training" / "lm.pt"
    state = torch.load(path, weights_only=True)
    state["parts"]["data"]["lanes"] = 7
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="had 7 rows in a step, now it has 2"):
        train(language_model_options(corpus, tmp_path, **SETTINGS, resume=True))
