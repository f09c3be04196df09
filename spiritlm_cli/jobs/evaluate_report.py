"""`spiritlm evaluate report`: items files to one Markdown table."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import count

from spiritlm_cli.console import log, one_line
from spiritlm_cli.evaluation.records import pool_shards, read_items
from spiritlm_cli.evaluation.reports import compute_result
from spiritlm_cli.evaluation.result import EvaluationResult
from spiritlm_cli.files import naming
from spiritlm_cli.jobs.options.evaluate_report import EvaluateReportOptions
from spiritlm_cli.jobs.run import Summary

__all__ = ["EvaluateReportOptions", "read_results", "run"]

_HEADER = ("Task", "", "Metric", "Result [95 % interval]", "Items", "Published, on other data")


def run(options: EvaluateReportOptions) -> Summary:
    """Print the results of items files. Raises ManifestError for one that can't be used, OSError if it is missing."""
    options.check()
    results = read_results(options)
    with naming("stdout"):
        if options.as_json:
            print(json.dumps([result.to_json() for result in results], ensure_ascii=False))
        else:
            for line in markdown(results, options.groups):
                print(line)
        sys.stdout.flush()
    return Summary(len(results))


def read_results(options: EvaluateReportOptions) -> list[EvaluationResult]:
    """The result of each run; shards of one run are one result. Raises ManifestError."""
    runs = [(str(path), *read_items(path)) for path in options.runs]
    results = []
    for description, records in pool_shards(runs):
        result = compute_result(description, records)
        if result:
            results.append(result)
        else:
            log.warning(
                "%s, %s: nothing was compared, so there is no result",
                description.task,
                ", ".join(description.data),
            )
    return results


def markdown(results: Sequence[EvaluationResult], groups: bool = False) -> Iterator[str]:
    """Yield the lines of a table of all results, and of a list of what is needed to repeat each.

    Several results of one task are numbered.
    """
    names = [result.task for result in results]
    for task in {name for name in names if names.count(name) > 1}:
        numbers = count(1)
        names = [f"{name} ({next(numbers)})" if name == task else name for name in names]
    yield _row(_HEADER)
    yield _row(("---", "---", "---", "---:", "---:", "---"))
    for name, result in zip(names, results, strict=True):
        for _, *cells in result.markdown_rows(groups=groups):
            yield _row((name, *cells))
    yield ""
    for name, result in zip(names, results, strict=True):
        said = f"{result.counted}; {result.description.sentence()}. {' '.join(result.notes)}"
        yield f"- **{name}**: {_escape(said)}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escape, cells))} |"


def _escape(text: str) -> str:
    """Text as Markdown, without what would end a cell or begin HTML."""
    return one_line(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
