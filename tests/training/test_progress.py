import re

import pytest

from spiritlm_cli.training.progress import Progress


def test_progress_ends_with_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("toy", first=1, steps=3) as progress:
        progress.show(2, {"loss": 2.0})
        progress.show(3, {"loss": 1.5, "accuracy": 0.25})
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"spiritlm: toy: 3 steps, loss 1\.7500, accuracy 0\.2500, in 0\.\d min\n", err)


def test_progress_shows_the_mean_of_about_fifty_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("toy", first=0, steps=300) as progress:
        for step in range(1, 301):
            progress.show(step, {"loss": 9.0 if step <= 100 else 1.0})
            if step == 100:
                assert progress.means["loss"] == pytest.approx(9)
    mean = float(re.findall(r"loss (\S+),", capsys.readouterr().err)[-1])
    assert mean == pytest.approx(1 + 8 * 0.98**200, abs=1e-4)


def test_progress_says_nothing_of_a_training_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("toy", first=0, steps=3)
    with pytest.raises(ZeroDivisionError), progress:
        progress.show(1, {"loss": 1 / 0})
    assert capsys.readouterr().err == ""


def test_progress_says_that_all_steps_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("toy", first=3, steps=3):
        pass
    assert capsys.readouterr().err == "spiritlm: toy: already at step 3; give more --steps to continue\n"


def test_progress_says_what_a_signal_leaves() -> None:
    progress = Progress("toy", first=0, steps=3)
    assert progress._stopped() == "toy: stopped after step 0; no state was saved yet"
    progress.done, progress.saved = 3, 2
    assert progress._stopped() == "toy: stopped after step 3; --resume continues after step 2"
    progress.saved = 3
    assert progress._stopped() == "toy: stopped after the last step; everything is saved"
