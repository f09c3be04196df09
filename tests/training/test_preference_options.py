"""Choices of `train lm --dpo`."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spiritlm_cli.cli.main import app
from spiritlm_cli.errors import OptionError
from spiritlm_cli.training.language_model_options import LanguageModelOptions

PAIRS: dict[str, Any] = {"output": Path("new"), "dpo": (Path("pairs.jsonl"),)}


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"text": (Path("a.txt"),)}, "--text"),
        ({"lines": (Path("a.txt"),)}, "--lines"),
        ({"manifest": Path("a.tsv")}, "--manifest"),
        ({"data": (Path("data"),)}, "--data"),
        ({"mix": "text=1"}, "--mix"),
        ({"task": "asr"}, "--task"),
        ({"loss": "all"}, "--loss"),
        ({"valid": Path("a.txt")}, "--valid"),
        ({"rope_theta": 1e5}, "--rope-theta"),
        ({"init": "mean"}, "--init"),
        ({"replaced": 0.0}, "--replaced"),
        ({"fsdp": True}, "--fsdp"),
        ({"compile": True}, "--compile"),
        ({"workers": 2}, "--workers"),
        ({"base": None}, "--dpo"),
        ({"dpo": (), "beta": 0.2}, "--beta"),
    ],
)
def test_check_refuses_options_of_other_data(changes: dict[str, Any], flag: str) -> None:
    with pytest.raises(OptionError) as error:
        LanguageModelOptions(**{**PAIRS, "base": "nano", **changes}).check()
    assert error.value.option == flag


def test_check_accepts_options_of_pairs() -> None:
    LanguageModelOptions(
        **PAIRS, base="nano", lora=8, beta=0.2, batch=2, accumulate=2, checkpointing=True, clip=0.5
    ).check()


def test_default_learning_rates() -> None:
    pairs, adapter, other = (
        LanguageModelOptions(**{**PAIRS, **changes}).peak_learning_rate
        for changes in ({}, {"lora": 8}, {"dpo": ()})
    )
    assert (pairs, adapter, other) == (1e-6, 1e-5, 1.5e-3)
    assert LanguageModelOptions(**PAIRS, learning_rate=1e-4).peak_learning_rate == 1e-4


def test_refusals_are_usage_errors() -> None:
    command = ["train", "lm", "--from", "nano", "--dpo", "pairs.jsonl", "--mix", "text=1", "-o", "new"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "--mix: can't be used with --dpo" in result.stderr.replace("'", "'")
