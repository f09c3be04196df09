"""`spiritlm inspect batch`: whether units depend on the batch."""

import typer

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.general import comparison_status
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.cli.report import print_report
from spiritlm_cli.jobs.options import InspectBatchOptions


@command(InspectBatchOptions)
def batch(options: InspectBatchOptions) -> None:
    """Check that clips have the same units alone and in batches, on this device and in this data type.

    Each clip is encoded alone, a second time alone, with others in order and shuffled, in pairs, and with a long clip.
    Prints each clip whose units differ, and the number of units compared. The exit status is 0 if all are equal, 1 if
    some differ, and 2 for an error.

    \b
    Examples:
      spiritlm inspect batch corpus/ --limit 100
      spiritlm inspect batch --manifest clips.tsv --device cuda --dtype bfloat16 --json
    """
    with importing():
        from spiritlm_cli.jobs.inspect_batch import run

    check = run(options)
    print_report(check.report, options.as_json)
    if not options.as_json:
        typer.echo(check.report.verdict)
    raise typer.Exit(comparison_status(check.report.equal, check.failed))
