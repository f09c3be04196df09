"""The result of an evaluation: metrics over all items and over groups of them, as JSON, a table or Markdown."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from spiritlm_cli.console import escape_markup
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import RunDescription


@dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    name: in JSON; title: as a heading; percent: its values are fractions, and shown in percent.
    """

    name: str
    title: str
    percent: bool = True
    digits: int = 1

    def text(self, estimate: Estimate | None) -> str:
        """The value and its interval, such as `69.0 [65.2–72.8]`; empty for None."""
        return "" if estimate is None else estimate.text(100.0 if self.percent else 1.0, self.digits)


@dataclass(frozen=True)
class Published:
    """Published results, for comparison: on other data or by another model, and not to be reproduced.

    what: the model and the data; values: by name of the metric, in percent for a metric in percent.
    """

    what: str
    values: dict[str, float]


@dataclass(frozen=True)
class ResultRow:
    """Metrics over some of the items.

    name: of the group, such as "agreement"; values: by name of the metric, without those that are not defined; kind:
    of the group, such as "type", None for all items of the set; set: such as "dev", None if there is only one.
    """

    name: str
    items: int
    values: Mapping[str, Estimate]
    kind: str | None = None
    set: str | None = None
    published: tuple[Published, ...] = ()

    @property
    def label(self) -> str:
        """The row's heading, such as `dev type: agreement`."""
        return " ".join(filter(None, (self.set, f"{self.kind}: {self.name}" if self.kind else self.name)))


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    items: number of items that were used; skipped: number of those that could not be used; counts: other numbers for
    the heading by their names, such as {"pairs": 12}; metrics: the columns; notes: sentences about how the metrics are
    to be read.
    """

    description: RunDescription
    items: int
    metrics: tuple[Metric, ...]
    rows: tuple[ResultRow, ...]
    notes: tuple[str, ...] = ()
    counts: Mapping[str, float] = field(default_factory=dict)
    skipped: int = 0

    @property
    def task(self) -> str:
        """The name of the task."""
        return self.description.task

    @property
    def title(self) -> str:
        """The heading, such as `wuggy: 20 items, 40 pairs, 1 skipped`."""
        return f"{self.task}: {self.counted}"

    @property
    def counted(self) -> str:
        """The numbers of the heading, such as `20 items, 40 pairs, 1 skipped`."""
        counts = [
            f"{value:.1f} {name}" if value % 1 else f"{value:.0f} {name}"
            for name, value in self.counts.items()
        ]
        skipped = [f"{self.skipped} skipped"] if self.skipped else []
        return ", ".join([f"{self.items} items", *counts, *skipped])

    def row(self, name: str, kind: str | None = None, set: str | None = None) -> ResultRow:  # noqa: A002
        """The row of a group. Raises KeyError if there is none."""
        for row in self.rows:
            if (row.name, row.kind, row.set) == (name, kind, set):
                return row
        raise KeyError(f"no row {set} {kind} {name}")

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`; values of metrics in percent are fractions, published ones in percent."""
        return {
            "task": self.task,
            "items": self.items,
            "skipped": self.skipped,
            **self.counts,
            "rows": [
                {
                    "set": row.set,
                    "kind": row.kind,
                    "name": row.name,
                    "items": row.items,
                    **{name: estimate.to_json() for name, estimate in row.values.items()},
                    "published": [{"what": one.what, **one.values} for one in row.published],
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
            "run": asdict(self.description),
        }

    def table(self) -> Table:
        """Return a `rich` table of the metrics with their 95 % intervals."""
        has_published = any(row.published for row in self.rows)
        table = Table(
            title=escape_markup(self.title),
            caption="\n".join(map(escape_markup, self._captions(has_published))),
            caption_justify="left",
        )
        table.add_column("")
        table.add_column("items", justify="right", no_wrap=True)
        for metric in self.metrics:
            heading = f"{metric.title} %" if metric.percent else metric.title
            table.add_column(heading, justify="right", no_wrap=True)
        previous = None
        for row in self.rows:
            if previous and (previous.set, previous.kind) != (row.set, row.kind):
                table.add_section()
            previous = row
            cells = (metric.text(row.values.get(metric.name)) for metric in self.metrics)
            table.add_row(escape_markup(row.label), str(row.items), *map(escape_markup, cells))
            for one in row.published:
                table.add_row(f"  published: {one.what}", "", *self._published_cells(one), style="dim")
        return table

    def markdown_rows(self, *, groups: bool = False) -> Iterator[tuple[str, ...]]:
        """Yield (task, row, metric, value, items, published) for each row and metric, as texts of Markdown cells.

        groups: with the rows of groups, and not only those of whole sets.
        """
        for row in self.rows:
            if row.kind and not groups:
                continue
            for metric in self.metrics:
                if metric.name not in row.values:
                    continue
                published = [
                    f"{one.what} {one.values[metric.name]:g}"
                    for one in row.published
                    if metric.name in one.values
                ]
                unit = f"{metric.title}, %" if metric.percent else metric.title
                estimate = row.values[metric.name]
                yield (
                    self.task, row.label, unit, metric.text(estimate), str(estimate.count or row.items),
                    ", ".join(published),
                )  # fmt: skip

    def _captions(self, has_published: bool) -> Iterator[str]:
        yield from self.notes
        published = " Published: results on other data, for comparison." if has_published else ""
        yield f"95 % bootstrap interval over items in brackets.{published}"
        yield self.description.sentence()

    def _published_cells(self, one: Published) -> list[str]:
        return [
            f"{one.values[metric.name]:g}" if metric.name in one.values else "" for metric in self.metrics
        ]
