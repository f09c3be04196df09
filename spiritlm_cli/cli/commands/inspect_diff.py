"""`spiritlm inspect diff`: the differences of two token files, two clips, or one clip under two settings."""

import typer

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.general import comparison_status
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.cli.report import print_report
from spiritlm_cli.jobs.options import InspectDiffOptions


@command(InspectDiffOptions)
def diff(options: InspectDiffOptions) -> None:
    """Compare two token files, two clips, or one clip under two models or settings.

    Prints what differs, with its times, and for each stream the unit error rate (UER): substitutions + insertions +
    deletions / units of A. Lines are matched by id if both sides have ids, else by their order. The exit status is 0
    if all are equal, 1 if some differ, and 2 for an error.

    \b
    Examples:
      spiritlm inspect diff old.txt new.txt
      spiritlm inspect diff clean.wav noisy.wav
      spiritlm inspect diff old.txt --manifest clips.tsv
      spiritlm inspect diff in.wav --against spirit-lm/
      spiritlm inspect diff --manifest clips.tsv --against-dtype bfloat16 --brief
    """
    with importing():
        from spiritlm_cli.jobs.inspect_diff import run

    comparison = run(options)
    print_report(comparison.report, options.as_json)
    raise typer.Exit(comparison_status(comparison.totals.equal, comparison.failed))
