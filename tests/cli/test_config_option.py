from pathlib import Path

import pytest
import typer

from spiritlm_cli.cli.commands.train import train
from spiritlm_cli.cli.config_option import read_options
from spiritlm_cli.errors import CheckpointError

COMMAND = typer.main.get_command(train).commands["lm"]  # type: ignore[attr-defined]


def read(tmp_path: Path, text: str) -> dict[str, object]:
    path = tmp_path / "options.yaml"
    path.write_text(text)
    return read_options(path, COMMAND)


def test_read_options_takes_long_names(tmp_path: Path) -> None:
    text = "learning-rate: 3e-5\nadd_units: base\nbf16: false\nfrom: nano\nlines: [a.txt, b.txt]\nwarmup:\n"
    assert read(tmp_path, text) == {
        "learning_rate": "3e-5",
        "add_units": "base",
        "bf16": False,
        "base": "nano",
        "lines": ["a.txt", "b.txt"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step: 3", "'step' is no option of lm; the nearest is 'steps'"),
        ("xyzzy: 3", "'xyzzy' is no option of lm; --help lists them"),
        ("steps: 3\nbatch: 1\nsteps: 4", "line 3, column 1: a second 'steps'"),
        ("quiet: true", "'quiet' is no option"),
        ("config: other.yaml", "'config' is no option"),
        ("bf16: 1", "bf16: expected true or false"),
        ("steps: true", "steps: expected text or a number"),
        ("steps: [1]", "steps: expected text or a number"),
        ("lines: {a: b}", "lines: expected text or a number or a list of them"),
        ("- steps", "expected lines `name: value` at the top, found a list"),
        ("", "at the top, found nothing"),
        ("lines: [a", r"can't be read \(line 1, column 10: expected ',' or '\]', but got '<stream end>'\)"),
    ],
)
def test_read_options_refuses_what_is_no_option(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read(tmp_path, text)


def test_options_that_are_given_replace_those_of_the_file(spiritlm, tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text(f"manifest: {tmp_path / 'missing.tsv'}\nsteps: 0\n")
    output = tmp_path / "new"
    wrong = spiritlm("train", "pitch", "--config", path, "-o", output)
    assert wrong.exit_code == 2
    assert "at least 1" in " ".join(wrong.stderr.split())
    given = spiritlm("train", "pitch", "--config", path, "--steps", 2, "-o", output)
    assert given.exit_code == 1
    assert "missing.tsv: no such file" in given.stderr
