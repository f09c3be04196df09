"""The command `python -m spiritlm_cli.evaluation.lm_eval`."""

import sys

import pytest

from spiritlm_cli.evaluation.lm_eval.__main__ import main

MODEL = "spiritlm_cli.evaluation.lm_eval.model"


def test_main_is_the_command_of_the_harness_with_one_more_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("lm_eval", reason="the harness is an extra: lm-eval")
    from lm_eval.api.registry import get_model

    monkeypatch.setattr("sys.argv", ["lm-eval", "run", "--help"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0
    assert "--num_fewshot" in capsys.readouterr().out
    assert get_model("spiritlm").__module__ == MODEL


def test_main_without_the_harness_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, MODEL, raising=False)
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", None)
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 1
    assert "lm_eval is not installed" in (message := capsys.readouterr().err)
    assert "pip install 'spiritlm[lm-eval]'" in message
