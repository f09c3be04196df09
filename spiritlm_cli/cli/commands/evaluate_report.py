"""`spiritlm evaluate report`."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.jobs.options.evaluate_report import EvaluateReportOptions


@command(EvaluateReportOptions)
def report(options: EvaluateReportOptions) -> object:
    """Results of several evaluations as one Markdown table.

    RUN is a file that --items of a task wrote. The parts that --shard made of one run are one result. Published results
    stand beside each, and below the table is what is needed to repeat it.

    \b
    Examples:
      spiritlm evaluate report wuggy.jsonl blimp.jsonl asr.jsonl > card.md
      spiritlm evaluate report part0.jsonl part1.jsonl --groups
    """
    from spiritlm_cli.jobs.evaluate_report import run

    return run(options)
