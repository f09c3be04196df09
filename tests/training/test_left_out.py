from pathlib import Path

import pytest

from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.left_out import LeftOut, notify_unused_options


def test_the_first_ten_are_named_and_all_counted(capsys: pytest.CaptureFixture[str]) -> None:
    left_out = LeftOut("lines")
    for number in range(10):
        left_out.add(f"line {number}")
    left_out.finish()
    named = capsys.readouterr().err
    assert named.count("left out: line ") == 10
    assert "are left out" not in named
    left_out.add("line 10")
    left_out.finish()
    assert capsys.readouterr().err == "spiritlm: 11 lines are left out\n"


def test_options_without_effect_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    given = LanguageModelOptions(output=Path("new"), fsdp=True, steps=5, warmup=6, valid_every=3)
    notify_unused_options(given, 1)
    messages = capsys.readouterr().err.splitlines()
    assert [message.split()[1] for message in messages] == ["--fsdp", "--warmup", "--valid-every"]
    notify_unused_options(LanguageModelOptions(output=Path("new"), fsdp=True, steps=5, warmup=5), 2)
    assert capsys.readouterr().err == ""
