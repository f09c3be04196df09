import re
from collections.abc import Callable

import pytest
import typer
from typer.testing import Result

from spiritlm_cli.cli.help import split_default
from spiritlm_cli.cli.main import app

Run = Callable[..., Result]
COMMANDS = (
    "tokenize", "align", "interleave", "generate", "decode", "bench", "evaluate", "evaluate tts", "evaluate pairs",
    "evaluate wuggy", "train", "train hubert", "train lm", "models", "models convert",
)  # fmt: skip


def headings(text: str) -> list[str]:
    return [line.rstrip(":") for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]


def test_options_are_listed_under_headings(spiritlm: Run) -> None:
    assert headings(spiritlm("generate", "--help").stdout) == [
        "Input", "Continuation", "Sampling", "Few-shot tasks", "Scoring", "Output", "Model", "Machine", "General",
    ]  # fmt: skip
    assert headings(spiritlm("train", "lm", "--help").stdout) == [
        "Input", "Network", "Training", "Output", "Model", "Machine", "General",
    ]  # fmt: skip


def test_the_output_is_first_of_its_heading(spiritlm: Run) -> None:
    section = spiritlm("decode", "--help").stdout.partition("\nOutput:\n")[2]
    assert section.lstrip().startswith("-o, --output FILE|FOLDER/|-")


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("columns", [40, 80])
def test_help_fits_the_terminal_and_cuts_nothing(
    spiritlm: Run, monkeypatch: pytest.MonkeyPatch, command: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = spiritlm(*command.split(), "--help").stdout
    examples = {
        line for line in text.splitlines() if "spiritlm " in line
    }  # they are copied, and so not wrapped
    names = {line for line in text.splitlines() if line.startswith("  -")}  # a long one has a line of its own
    assert not [line for line in text.splitlines() if len(line) > columns and line not in examples | names]
    assert not [line for line in text.splitlines() if line.endswith("...") and "[" not in line]


@pytest.mark.parametrize("command", COMMANDS)
def test_metavars_are_words_for_people(spiritlm: Run, command: str) -> None:
    text = spiritlm(*command.split(), "--help").stdout
    assert not re.findall(r"<(?:str|int|float|path|list)\b|\b(?:INTEGER|FLOAT|PATH|DIR)\b", text)


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [("evaluate wuggy", "evaluate wuggy [OPTIONS] FOLDER"), ("tokenize", "tokenize [OPTIONS] [AUDIO]...")],
)
def test_usage_names_the_arguments(spiritlm: Run, arguments: str, usage: str) -> None:
    assert spiritlm(*arguments.split(), "--help").stdout.splitlines()[0].endswith(usage)


def test_split_default() -> None:
    assert split_default("How many. At least 1.  [default: 16]") == ("How many. At least 1.", "16")
    assert split_default("Where.  [required]") == ("Where.", "required")
    assert split_default("No default [here].") == ("No default [here].", "")


def test_every_option_has_a_help_text() -> None:
    def parameters(command: typer.core.TyperGroup) -> list[object]:
        subcommands = getattr(command, "commands", {}).values()
        return [*command.params, *(one for each in subcommands for one in parameters(each))]

    assert not [one for one in parameters(typer.main.get_command(app)) if not getattr(one, "help", "")]
