"""Shell completion, as the scripts of `--show-completion` ask for it, and in the shells themselves."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spiritlm_cli.cli.main import app

# What each shell's script sets, for a command line whose last word is to be completed.
SHELLS = {
    "bash": lambda line: {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)},
    "zsh": lambda line: {"_TYPER_COMPLETE_ARGS": line},
    "fish": lambda line: {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


def complete(shell: str, line: str) -> str:
    environment = {"_SPIRITLM_COMPLETE": f"complete_{shell}", **SHELLS[shell](line)}
    result = CliRunner().invoke(app, [], prog_name="spiritlm", env=environment)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("spiritlm ev", {"evaluate"}),
        ("spiritlm evaluate p", {"pairs", "perplexity", "prosaudit"}),
        ("spiritlm generate --to s", {"same", "speech"}),
        ("spiritlm generate --task ", {"asr", "tts", "intent", "continue"}),
        ("spiritlm tokenize --format ", {"text", "jsonl"}),
        ("spiritlm decode --device c", {"cpu"}),
        ("spiritlm decode --model ", {"nano", "twist"}),
        ("spiritlm decode --vocoder t", {"twist"}),
        ("spiritlm models pull sl", {"slam", "slam_scaled"}),
        ("spiritlm train vocoder --kind e", {"expressive"}),
    ],
)
def test_commands_and_values_are_completed(
    shell: str, line: str, expected: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIRITLM_HOME", str(tmp_path))
    (tmp_path / "models" / "twist" / "mhubert-base-25hz").mkdir(parents=True)
    answer = complete(shell, line)
    if shell == "zsh":
        words = {
            part.partition('"')[0]
            for part in answer.partition("((")[2].replace('\n"', "\0").lstrip('"').split("\0")
        }
    else:
        words = {row.partition("\t")[0] for row in answer.splitlines()}
    assert words == expected


@pytest.mark.parametrize("command", ["", "tokenize", "generate", "interleave", "train lm"])
def test_fish_gets_one_line_for_each_option(command: str) -> None:
    rows = complete("fish", f"spiritlm {command} --".replace("  ", " ")).splitlines()
    assert rows
    assert all(row.startswith("--") and row.count("\t") == 1 for row in rows)


def test_files_are_left_to_the_shell() -> None:
    assert complete("bash", "spiritlm tokenize in").strip() == ""
    assert complete("zsh", "spiritlm tokenize in").strip() == "_files"


SCRIPTS = {
    "bash": "COMP_WORDS=(spiritlm generate --to s); COMP_CWORD=3; _spiritlm_completion spiritlm\n"
    'echo "${COMPREPLY[@]}"',
    "fish": 'complete -C "spiritlm generate --to s"',
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_works_in_its_shell(programs: Path, tmp_path: Path, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    script = subprocess.run(
        [programs / "spiritlm", "--show-completion", shell],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    result = subprocess.run(
        [shell, "-c", f"{script}\n{SCRIPTS[shell]}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["same", "speech"]
