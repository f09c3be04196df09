"""Results on stdout: as a table, or as one JSON object."""

import json
from typing import Any, Protocol

import typer


class Report(Protocol):
    """A result that can be printed."""

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        ...

    def table(self) -> Any:
        """Return a `rich` table."""
        ...


def print_report(report: Report, as_json: bool) -> None:
    """Print a report to stdout."""
    from rich.console import Console

    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        Console().print(report.table())
