"""Write `cli.md`, the reference of all commands, from the commands themselves: `make docs`."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from spiritlm_cli.cli.main import app

PAGE = Path(__file__).parent / "cli.md"

HEAD = """# Command-line reference

<!-- Written by docs/make_cli.py; `make docs` writes it again. -->

All commands and their options, with their defaults. The pages of the [single commands](index.md) explain them.
"""

# The last part of an option's help, such as `[default: 16; x>=1]`.
_EXTRAS = re.compile(r" +\[(default: [^\[\]]*|required|[^\[\]]*x[<>]=[^\[\]]*)\]$")
_RANGE = re.compile(r"(?:(\S+?)<=)?x(?:([<>])=(\S+))?")


def render() -> str:
    """Return the text of the page."""
    root = typer.main.get_command(app)
    context = root.context_class(root, info_name="spiritlm")
    sections = [HEAD, _general(root, context)]
    sections += (section for name in root.commands for section in _sections(root.commands[name], name, 2))
    return "\n".join(sections)


def _general(root: Any, context: Any) -> str:
    table = _table([record for parameter in root.params if (record := parameter.get_help_record(context))])
    return f"## Options of every command\n\n{table}| `-h, --help` | Show the help of a command. |  |\n"


def _sections(command: Any, name: str, level: int) -> Iterator[str]:
    """Yield the section of a command, and those of its subcommands."""
    context = command.context_class(command, info_name=f"spiritlm {name}")
    yield f"{'#' * level} {name}\n\n{_description(command)}"
    subcommands = getattr(command, "commands", {})
    if not subcommands:
        general = {parameter.name for parameter in typer.main.get_command(app).params}
        own = [parameter for parameter in command.params if parameter.name not in general]
        usage = " ".join([f"spiritlm {name}", *command.collect_usage_pieces(context)])
        records = [record for parameter in own if (record := parameter.get_help_record(context))]
        yield f"Usage: `{usage}`\n\n{_table(records)}"
    for subcommand in subcommands.values():
        yield from _sections(subcommand, f"{name} {subcommand.name}", level + 1)


def _description(command: Any) -> str:
    """Return the help of a command as Markdown, with its examples as a block of code."""
    text = inspect.cleandoc(command.help)
    parts = []
    for paragraph in text.split("\n\n"):
        paragraph = paragraph.removeprefix("\b\n")
        if re.match(r"Examples?:\n", paragraph):
            examples = inspect.cleandoc(paragraph.partition("\n")[2])
            parts.append(f"```sh\n{examples}\n```\n")
        else:
            parts.append(" ".join(paragraph.split()) + "\n")
    return "\n".join(parts)


def _table(records: list[tuple[str, str]]) -> str:
    """Return a table of arguments and options, each given by its spelling and its help."""
    rows = ["| option | | default |\n|---|---|---|\n"]
    for spelling, text in records:
        description, default = _split(text)
        rows.append(f"| {_spelling(spelling)} | {_escape(description)} | {_escape(default)} |\n")
    return "".join(rows)


def _spelling(spelling: str) -> str:
    """Return `--format <text|jsonl>` as code; the angle brackets are left out."""
    if not spelling.startswith("-"):  # an argument: its name and type
        spelling = spelling.split(" ")[0]
    return _escape(f"`{re.sub('[<>]', '', spelling)}`")


def _split(text: str) -> tuple[str, str]:
    """Return an option's description, with the range of its value, and its default."""
    default, limits = "", ""
    while match := _EXTRAS.search(text):
        text = text[: match.start()]
        for part in match[1].split("; "):
            if part == "required":
                default = "required"
            elif part.startswith("default: "):
                default = part.removeprefix("default: ")
            elif _RANGE.fullmatch(part):
                limits = _limits(part)
            else:  # a default with a semicolon in it
                default += f"; {part}"
    return f"{text} {limits}".strip(), default


def _limits(part: str) -> str:
    """Return `1<=x<=8` as `From 1 to 8.`, and `x>=1e-06` as `Above 0.`"""
    minimum, sign, bound = _RANGE.fullmatch(part).groups()  # type: ignore[union-attr]
    if minimum:
        start = (
            "Above 0, at most" if float(minimum) < 1e-3 and float(minimum) else f"From {float(minimum):g} to"
        )
        return f"{start} {float(bound):g}."
    if sign == ">" and float(bound) < 1e-3:
        return "Above 0." if float(bound) else ""
    return f"At {'least' if sign == '>' else 'most'} {float(bound):g}."


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
