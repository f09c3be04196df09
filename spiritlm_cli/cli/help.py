"""The layout of `--help`: options under headings, in columns that fit the terminal."""

import re
from collections.abc import Iterable
from typing import Any

GENERAL = "General"

# What the parser adds to an option's help: its default, or that it is required.
_EXTRAS = re.compile(r" +\[(default: .*|required)\]$")


def write_options(command: Any, context: Any, formatter: Any) -> None:
    """Write the arguments and options of a command, under the heading of each one's `rich_help_panel`."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        if row := parameter_row(parameter, context):
            sections.setdefault(getattr(parameter, "rich_help_panel", None) or GENERAL, []).append(row)
    # Ordered by their first option; what every command has comes last.
    for title, rows in sorted(sections.items(), key=lambda section: section[0] == GENERAL):
        write_table(formatter, title, rows)


def write_table(formatter: Any, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Write a heading and two columns. The first is a third of the width at most, with longer names on own lines."""
    with formatter.section(title):
        formatter.write_dl(list(rows), col_max=max(8, min(26, formatter.width // 3)))


def parameter_row(parameter: Any, context: Any) -> tuple[str, str] | None:
    """The spelling of an argument or option, such as `--to same|any`, and its help. None if it is hidden."""
    record = parameter.get_help_record(context)
    if record is None:
        return None
    spelling, text = record
    if parameter.param_type_name == "argument":
        spelling = argument_name(parameter)
    return re.sub("[<>]", "", spelling), text


def argument_name(parameter: Any) -> str:
    """An argument's name in usage and help, such as `[FILE]...` for any number of files."""
    name = parameter.metavar or parameter.name.upper()
    name = name if parameter.required else f"[{name}]"
    return name if parameter.nargs == 1 else f"{name}..."


def usage_pieces(command: Any) -> list[str]:
    """The parts of a command's usage line after its name."""
    arguments = (one for one in command.params if one.param_type_name == "argument")
    return ["[OPTIONS]", *map(argument_name, arguments)]


def split_default(text: str) -> tuple[str, str]:
    """An option's help without its default, and the default: `required` if there must be a value, or empty."""
    if match := _EXTRAS.search(text):
        return text[: match.start()], match[1].removeprefix("default: ")
    return text, ""
