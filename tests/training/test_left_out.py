import pytest

from spiritlm_cli.training.left_out import LeftOut


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
