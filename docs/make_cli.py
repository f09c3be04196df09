"""Write `cli.md`, the reference of all commands, from the commands themselves: `make docs`."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from spiritlm_cli.cli.general import general_options
from spiritlm_cli.cli.help import parameter_row, split_default
from spiritlm_cli.cli.main import app

PAGE = Path(__file__).parent / "cli.md"

HEAD = """# Command-line reference

<!-- Written by docs/make_cli.py; `make docs` writes it again. -->

All commands and their options, with their defaults. The pages of the [single commands](index.md) explain them.
"""


def render() -> str:
    """Return the text of the page."""
    root = typer.main.get_command(app)
    context = root.context_class(root, info_name="spiritlm")
    sections = [HEAD, _general(root, context)]
    sections += (section for name in root.commands for section in _sections(root.commands[name], name, 2))
    return "\n".join(sections)


def _general(root: Any, context: Any) -> str:
    every = _table([row for one in general_options() if (row := parameter_row(one, context))])
    names = {one.name for one in general_options()}
    own = _table(
        [row for one in root.params if one.name not in names and (row := parameter_row(one, context))]
    )
    return (
        f"## Options of every command\n\n{every}| `-h, --help` | Show the help of a command. |  |\n\n"
        f"## Shell completion\n\nOf `spiritlm` itself; [how to set it up](index.md#shell-completion).\n\n{own}"
    )


def _sections(command: Any, name: str, level: int) -> Iterator[str]:
    """Yield the section of a command, and those of its subcommands."""
    context = command.context_class(command, info_name=f"spiritlm {name}")
    yield f"{'#' * level} {name}\n\n{_description(command)}"
    subcommands = getattr(command, "commands", {})
    described = getattr(command, "default", None if subcommands else command)
    if described:
        general = {parameter.name for parameter in typer.main.get_command(app).params}
        own = [parameter for parameter in described.params if parameter.name not in general]
        usage = " ".join([f"spiritlm {name}", *command.collect_usage_pieces(context)])
        records = [record for parameter in own if (record := parameter_row(parameter, context))]
        yield f"Usage: `{usage}`\n\n{_table(records)}"
    for subcommand in subcommands.values():
        if subcommand is not described:
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
        description, default = split_default(text)
        rows.append(f"| {_escape(f'`{spelling}`')} | {_escape(description)} | {_escape(default)} |\n")
    return "".join(rows)


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
