import json
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Token files: a, equal to it, another, and one with a line that is not well formed."""
    for name, text in {
        "a": "x\t[SPEECH][Hu5][Hu7]\n",
        "same": "x\t[SPEECH][Hu5][Hu7]\n",
        "other": "x\t[SPEECH][Hu5][Hu8]\n",
        "bad": "x\t[Hu]\n",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("a", "same"), 0),
        (("a", "other"), 1),
        (("a", "bad"), 2),
        (("a", "gone.wav"), 2),
        (("a",), 2),
        (("a", "same", "--no-such-option"), 2),
        (("a", "same", "--model", "gone/"), 2),
    ],
)
def test_exit_status_is_that_of_diff(files, programs, release_tree, arguments, status) -> None:
    model = () if "--model" in arguments else ("--model", str(release_tree))
    command = [str(programs / "spiritlm"), "inspect", "diff", *arguments, *model]
    result = subprocess.run(command, cwd=files, capture_output=True, text=True, check=False)
    assert result.returncode == status, result.stderr
    if status == 2:
        assert result.stdout == ""
        assert "Traceback" not in result.stderr


def test_diff_prints_differences_and_totals(spiritlm, model, files) -> None:
    result = spiritlm("inspect", "diff", *model, files / "a", files / "other")
    assert "    A Hu5 Hu7\n    B Hu5 Hu8\n          ^^^\n" in result.stdout
    assert "phonetic, most often replaced: Hu7 by Hu8 (1×)\n" in result.stdout
    assert "phonetic      2  50.0 %       1         0        0" in result.stdout


def test_diff_as_json(spiritlm, model, files) -> None:
    result = spiritlm("inspect", "diff", *model, files / "a", files / "other", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["equal"], found["streams"]["phonetic"]["error_rate"]) == (False, 0.5)


def test_diff_reads_one_side_from_stdin(spiritlm, model, files) -> None:
    result = spiritlm("inspect", "diff", *model, "-", files / "a", stdin=(files / "same").read_bytes())
    assert result.exit_code == 0


def test_diff_ends_quietly_with_its_reader(programs, release_tree, files) -> None:
    for name, unit in (("a", 7), ("other", 8)):
        (files / name).write_text(f"[SPEECH][Hu{unit}]\n" * 3000)
    program = f"'{programs / 'spiritlm'}' inspect diff a other --model '{release_tree}'"
    command = f"set -o pipefail; {program} | head -1"
    result = subprocess.run(["bash", "-c", command], cwd=files, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (141, "")


def test_diff_prints_the_totals_only_if_brief(spiritlm, model, files) -> None:
    result = spiritlm("inspect", "diff", *model, files / "a", files / "other", "--brief")
    assert result.stdout == (
        "1 line compared, 1 different\n"
        "stream    units     UER  subst.  inserted  deleted  40 ms frames\n"
        "phonetic      2  50.0 %       1         0        0\n"
    )
