from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate_generation import AsrOptions, IntentOptions, TtsOptions


def test_check_names_missing_files(tmp_path: Path) -> None:
    for options in (
        AsrOptions(manifest=Path("gone.tsv")),
        AsrOptions(data=tmp_path, examples=Path("gone.tsv")),
        TtsOptions(data=tmp_path, hypotheses=Path("gone.tsv")),
        IntentOptions(path=Path("gone.tsv")),
    ):
        with pytest.raises(FileNotFoundError, match=r"gone\.tsv"):
            options.check()


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"shots": 3}, "--shots"),
        ({"shuffle": True}, "--shuffle"),
        ({"hypotheses": Path(__file__), "form": "asr"}, "--task"),
        ({"hypotheses": Path(__file__), "lm": "nano"}, "--lm"),
        ({"hypotheses": Path(__file__), "examples": Path(__file__)}, "--examples"),
    ],
)
def test_check_of_combinations(tmp_path: Path, options: dict[str, Any], flag: str) -> None:
    with pytest.raises(OptionError) as error:
        AsrOptions(data=tmp_path, **options).check()
    assert error.value.option == flag


def test_check_of_outputs_that_are_there(tmp_path: Path) -> None:
    for options, flag in (
        (TtsOptions(data=tmp_path, hypotheses=tmp_path, save_audio=tmp_path), "--save-audio"),
        (IntentOptions(path=tmp_path, hypotheses=tmp_path, likelihood=True), "--likelihood"),
        (IntentOptions(path=tmp_path, examples=Path(__file__), balanced=True), "--balanced"),
    ):
        with pytest.raises(OptionError) as error:
            options.check()
        assert error.value.option == flag


def test_default_form(tmp_path: Path) -> None:
    examples = Path(__file__)
    assert AsrOptions(data=tmp_path).default_form is None
    assert AsrOptions(data=tmp_path, examples=examples).default_form == "asr"
    assert AsrOptions(data=tmp_path, examples=examples, shots=0).default_form is None
    assert TtsOptions(data=tmp_path, form="mine.yaml").default_form == "mine.yaml"
    # the question of a command needs its form, also without examples
    assert IntentOptions(path=tmp_path, shots=0).default_form == "intent"
