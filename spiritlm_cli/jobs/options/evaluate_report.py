"""Options of `spiritlm evaluate report`."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class EvaluateReportOptions:
    """Options of `spiritlm evaluate report`."""

    runs: tuple[Path, ...] = option(
        ...,
        "Items files of spiritlm evaluate.",
        metavar="RUN",
        argument=True,
        reads=True,
        group="input",
    )
    groups: bool = option(
        False,
        "With the rows of groups, such as frequency bands, and not only those of whole sets.",
        group="output",
    )
    as_json: bool = option(
        False, "Print a JSON list of results, as --json of each task.", "--json", group="output"
    )

    def check(self) -> None:
        """Raise OSError for a file that is not there."""
        for path in self.runs:
            path.stat()
