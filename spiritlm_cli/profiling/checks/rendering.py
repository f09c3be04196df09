"""The report of the checks as text. Not by `rich`, which may be missing."""

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from spiritlm_cli.console import one_line
from spiritlm_cli.profiling.checks.finding import Finding

_INDENT = " " * 11


def render_lines(findings: Iterable[Finding], width: int) -> Iterator[str]:
    """Yield the lines of a report, with a heading for each section, as the findings come.

    width: in columns. Commands are not wrapped, so that they can be copied. Paths in the home folder begin with `~`.
    """
    home = f"{Path('~').expanduser()}/"
    section = None
    for finding in findings:
        if finding.section != section:
            if section is not None:
                yield ""
            section = finding.section
            yield section
        shown = one_line(f"{finding.name}: {finding.text}").replace(home, "~/")
        yield from _wrap(f"  {finding.status:7}  {shown}", width)
        if finding.remedy:
            yield from _wrap(f"{_INDENT}-> {one_line(finding.remedy)}", width, 3)
        if finding.command:
            yield f"{_INDENT}$ {one_line(finding.command)}"


def summary(findings: Iterable[Finding]) -> str:
    """The last line of a report: how many problems there are."""
    statuses = [finding.status for finding in findings]
    counts = [(statuses.count("broken"), "broken"), (statuses.count("warning"), "warning")]
    problems = [
        f"{count} {word}{'s' if word == 'warning' and count > 1 else ''}" for count, word in counts if count
    ]
    what = ", ".join(problems)
    if "broken" in statuses:
        return f"{what}: something that is needed does not work. Begin with the first that is broken."
    return f"All that is needed works{f'; {what}' if what else ''}."


def _wrap(text: str, width: int, more: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 30),
        subsequent_indent=_INDENT + " " * more,
        break_long_words=False,
        break_on_hyphens=False,
    )
