"""Results on stdout: as a table, or as one JSON object."""

import json
import sys
from typing import TYPE_CHECKING, Any, Protocol

import typer

from spiritlm_cli.cli.imports import importing
from spiritlm_cli.console import data_console
from spiritlm_cli.files import naming
from spiritlm_cli.printing import print_table

if TYPE_CHECKING:
    from rich.table import Table

    from spiritlm_cli.jobs.options.evaluate import EvaluateOptions


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
            print_table(report.table(), data_console())
        sys.stdout.flush()


def evaluate(options: "EvaluateOptions") -> object:
    """Run a task of `spiritlm evaluate`, and print its result. Returns the summary."""
    with importing():
        from spiritlm_cli.jobs.evaluate import run

    summary = run(options)
    if summary.result:
        print_report(summary.result, options.as_json)
    return summary
