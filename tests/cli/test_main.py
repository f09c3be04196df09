import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import spiritlm_cli
from spiritlm_cli.cli.main import main

COMMANDS = ("tokenize", "align", "interleave", "generate", "decode", "bench", "evaluate", "train", "models")


def test_version(spiritlm):
    result = spiritlm("--version")
    assert (result.exit_code, result.stdout) == (0, f"spiritlm {spiritlm_cli.__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_examples(spiritlm, command):
    result = spiritlm(command, "--help")
    assert result.exit_code == 0
    assert f"spiritlm {command}" in result.stdout.partition("Example")[2]
    assert spiritlm(command, "--version").stdout.startswith("spiritlm ")


@pytest.mark.parametrize(
    "arguments", ["--help", "--version", "tokenize --help", "bench --help", "train hubert --help"]
)
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from spiritlm_cli.cli.main import main\n"
        f"sys.argv[1:] = {arguments.split()!r}\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    ["no-such-command", "tokenize", "tokenize a.wav --units neither", "decode", "generate --temperature 0"],
)
def test_a_wrong_command_line_exits_2(spiritlm, arguments):
    result = spiritlm(*arguments.split())
    assert result.exit_code == 2
    assert not result.stdout
    assert "Error: " in result.stderr


@pytest.mark.parametrize("group", ["", "models", "train", "evaluate"])
def test_without_arguments_the_help_is_printed(spiritlm, group):
    result = spiritlm(*group.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.strip() == spiritlm(*group.split(), "--help").stdout.strip()


def test_unknown_models_are_named_before_torch_is_imported():
    commands = (
        "models info nope",
        "models verify nope",
        "doctor --model nope",
        "generate --lm nope --prompt x",
    )
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from spiritlm_cli.cli.main import app\n"
        f"for command in {commands!r}:\n"
        "    result = CliRunner().invoke(app, command.split())\n"
        "    print(result.exit_code, result.stderr, end='')\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *lines, modules = result.stdout.splitlines()
    assert modules == "[]"
    assert len(lines) == len(commands)
    for line in lines:
        assert line.startswith("1 spiritlm: nope: no such folder, nor the name of a model")


def test_an_error_is_one_line_and_a_traceback_only_with_debug(spiritlm):
    arguments = ("generate", "--model", "/no/such/folder", "--prompt", "x")
    result = spiritlm(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("spiritlm: /no/such/folder: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" in spiritlm(*arguments, "--debug").stderr


@pytest.fixture
def generating(programs: Path, release_tree: Path):
    """`spiritlm generate` that has given its first answer; a second is asked for by another line."""
    command = [
        str(programs / "spiritlm"),
        "generate",
        "--model",
        str(release_tree),
        "--max-new-tokens",
        "2",
        "--greedy",
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(b"a\t[Hu1]\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"a\t[SPEECH]")
        yield process
        process.kill()


def test_a_line_is_answered_before_the_next_is_there_and_ctrl_c_exits_130(generating):
    generating.send_signal(signal.SIGINT)
    assert generating.wait(60) == 130
    assert generating.stderr.read() == b""


def test_a_closed_pipe_ends_quietly(generating):
    generating.stdout.close()
    generating.stdin.write(b"b\t[Hu1]\n")
    generating.stdin.close()
    assert generating.wait(60) == 141
    assert generating.stderr.read() == b""


@pytest.mark.parametrize(("policy", "expected"), [(None, "30000"), ("active", None)])
def test_waiting_threads_leave_their_core_unless_told_otherwise(monkeypatch, policy, expected):
    """Of GNU's OpenMP, which reads its settings when torch is loaded."""
    monkeypatch.setenv("GOMP_SPINCOUNT", "to be restored")
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if policy:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    monkeypatch.setattr(sys, "argv", ["spiritlm", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert os.environ.get("GOMP_SPINCOUNT") == expected


@pytest.mark.parametrize("arguments", ["--help", "tokenize --help", "models convert --help"])
def test_commands_work_without_asserts_and_docstrings(arguments):
    command = [sys.executable, "-OO", "-m", "spiritlm_cli", *arguments.split()]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "--help" in result.stdout


@pytest.mark.parametrize(("arguments", "shown"), [([], False), (["--debug"], True)])
def test_warnings_of_libraries_are_not_shown(programs: Path, arguments: list[str], shown: bool) -> None:
    code = f"""
import logging, os, sys, warnings
from spiritlm_cli.cli.main import quiet_libraries
sys.argv[1:] = {arguments!r}
quiet_libraries()
warnings.warn("of a library")
warnings.warn("of a library", FutureWarning)
print(os.environ.get("TRANSFORMERS_VERBOSITY"), os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS"))
"""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))
    }
    result = subprocess.run(
        [programs / "python", "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert ("of a library" in result.stderr) == shown
    assert result.stdout == ("None None\n" if shown else "error 1\n")
