from pathlib import Path

import pytest


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines"
    path.write_text("x\t[SPEECH][Hu5][Hu7]\n[SPEECH][Hu7]\n")
    return path


def test_unit_lists_places(spiritlm, model, lines) -> None:
    result = spiritlm("inspect", "unit", *model, "Hu5 Hu7", lines)
    assert result.exit_code == 0
    assert "Hu5 Hu7" in result.stdout.splitlines()[1]
    assert "1 place in 1 of 2 inputs" in result.stdout


def test_unit_reads_lines_from_stdin(spiritlm, model, lines) -> None:
    result = spiritlm("inspect", "unit", *model, "Hu7", stdin=lines.read_bytes())
    assert "2 places in 2 of 2 inputs" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("28",), 2),
        (("Hu7", "gone.wav"), 1),
        (("Hu7", "lines", "-o", "gone/x.wav"), 1),
        (("Hu7", "lines", "-o", "x.txt"), 1),
    ],
)
def test_unit_exit_statuses(spiritlm, model, lines, monkeypatch, arguments, status) -> None:
    monkeypatch.chdir(lines.parent)
    result = spiritlm("inspect", "unit", *model, *arguments)
    assert (result.exit_code, result.stdout) == (status, "")
