import re

import pytest

from spiritlm_cli.training.progress import Progress


def test_progress_ends_with_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("toy", first=1, steps=3) as progress:
        progress.show(2, {"loss": 2.0})
        progress.show(3, {"loss": 1.5, "accuracy": 0.25})
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"spiritlm: toy: 3 steps, loss 1\.9900, accuracy 0\.2500, in 0\.\d min\n", err)


def test_progress_says_nothing_of_a_training_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("toy", first=0, steps=3)
    with pytest.raises(ZeroDivisionError), progress:
        progress.show(1, {"loss": 1 / 0})
    assert capsys.readouterr().err == ""
