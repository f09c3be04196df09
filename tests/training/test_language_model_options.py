"""Choices of the language model's options; `test_options` has what all parts share."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import check_limits
from spiritlm_cli.training.language_model_options import LanguageModelOptions


def test_rope_theta_is_above_1() -> None:
    with pytest.raises(OptionError, match="above 1"):
        check_limits(LanguageModelOptions(output=Path("new"), rope_theta=1.0))


def test_added_units_begin_at_random_as_in_the_paper() -> None:
    options = LanguageModelOptions(output=Path("new"))
    assert (options.init, options.add_units) == ("random", "expressive")


def test_lora_needs_a_model_to_start_from() -> None:
    with pytest.raises(OptionError, match="is for a model that --from names"):
        LanguageModelOptions(output=Path("new"), lora=8).check()
    with pytest.raises(OptionError, match="give --lora RANK too"):
        LanguageModelOptions(output=Path("new"), base="nano", lora_alpha=8.0).check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mix": "voice=1"}, "--mix: 'voice' is none of"),
        ({"mix": "text=1", "task": "asr"}, "--mix: has no task"),
        ({"mix": "task=1"}, "--task: is needed"),
        ({"shots": 3}, "--task: is needed"),
        ({"tokenizer": "nano"}, "--task: is needed"),
        ({"loss": "answer"}, "--loss: is answer, and there are no answers in interleaved"),
        ({"loss": "answer", "mix": "asr=1,text=1"}, "no answers in text; give --task"),
        ({"loss": "text", "mix": "speech=1"}, "--loss: is text, and --mix has speech alone"),
    ],
)
def test_check_refuses_mixes(changes: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as error:
        LanguageModelOptions(output=Path("new"), **changes).check()  # type: ignore[arg-type]
    assert re.search(message, f"{error.value.option}: {error.value}")
    LanguageModelOptions(output=Path("new"), loss="answer", mix="asr=1,tts=1").check()
    LanguageModelOptions(output=Path("new"), loss="answer", task="asr", shots=3).check()


def test_flash_attention_is_refused_with_what_it_can_not_compute() -> None:
    flash = LanguageModelOptions(output=Path("new"), attn_implementation="flash_attention_2")
    flash.check()
    for changes in ({"bf16": False}, {"attention": 1.0}):
        with pytest.raises(OptionError, match="computes in bfloat16, and returns no attention weights"):
            replace(flash, **changes).check()


def test_output_is_not_the_model_to_start_from(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is the model that --from names"):
        LanguageModelOptions(output=tmp_path / "a" / ".." / "b", base=str(tmp_path / "b")).check()
