"""Results on stdout: as a table, or as one JSON object."""

import json
import sys
from typing import TYPE_CHECKING, Any, Protocol

import typer

from spiritlm_cli.console import data_console
from spiritlm_cli.files import naming

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


# Columns that names of rows need at least. With less, the table is not printed as a table.
_NAME = 24


class Report(Protocol):
    """A result that can be printed."""

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        ...

    def table(self) -> "Table":
        """Return a `rich` table."""
        ...


def print_report(report: Report, as_json: bool) -> None:
    """Print a report to stdout."""
    with naming("stdout"):
        if as_json:
            typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
        else:
            _print_table(report)
        sys.stdout.flush()


def _print_table(report: Report) -> None:
    console, table = data_console(), report.table()
    names = table.columns[0]
    natural = console.measure(table, options=console.options.update(width=10_000)).maximum
    longest = max((len(str(cell)) for cell in names.cells), default=0)
    names.min_width = min(_NAME, longest)
    if natural - longest + names.min_width <= console.width:
        console.print(table)
    else:
        _print_rows(console, table)


def _print_rows(console: "Console", table: "Table") -> None:
    """Print a table that is too wide: the name of each row, and below it a line for each value."""
    if table.title:
        console.print(table.title, end="\n\n")
    names, *columns = table.columns
    values = [list(column.cells) for column in columns]
    for index, name in enumerate(map(str, names.cells)):
        console.print(name, highlight=False)
        indent = " " * (len(name) - len(name.lstrip()) + 2)
        for column, cells in zip(columns, values, strict=True):
            if cells[index]:
                console.print(f"{indent}{column.header}: {cells[index]}", highlight=False)
    if table.caption:
        console.print("\n", table.caption, sep="")
