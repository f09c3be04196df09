"""Accuracies of likelihood comparisons over a benchmark's items and groups, as JSON or a table."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from spiritlm_cli.console import escape_markup
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.metrics import Accuracy
from spiritlm_cli.evaluation.pairs import Comparison, Group

_OVERALL = Group("overall", "overall")


@dataclass(frozen=True)
class PublishedAccuracy:
    """A result of the paper in percent, by mean log-likelihood: for comparison, not to be reproduced."""

    what: str
    percent: float


@dataclass(frozen=True)
class PairRow:
    """Accuracies over the items of one group in a set; `kind` is "overall" for all items of the set."""

    set: str | None
    kind: str
    name: str
    items: int
    pairs: int
    by_mean: Accuracy
    by_sum: Accuracy


@dataclass(frozen=True)
class PairReport:
    """Result of a benchmark of pairs. skipped: number of pairs that could not be used."""

    task: str
    items: int
    pairs: int
    skipped: int
    rows: tuple[PairRow, ...]
    published: tuple[PublishedAccuracy, ...] = ()

    @classmethod
    def of(
        cls,
        task: str,
        comparisons: Iterable[Comparison],
        skipped: int = 0,
        published: tuple[PublishedAccuracy, ...] = (),
        seed: int = 0,
    ) -> "PairReport":
        """Average comparisons over the readings of each item, then over items: in each set, overall and by group.

        seed: of the bootstrap. Raises ManifestError if there are no comparisons.
        """
        sets: dict[str | None, list[Comparison]] = {}
        for comparison in comparisons:
            sets.setdefault(comparison.pair.set, []).append(comparison)
        if not sets:
            raise ManifestError(f"{task}: no pair was scored")
        rows = [row for name, members in sets.items() for row in _set_rows(name, members, seed)]
        overall = [row for row in rows if row.kind == _OVERALL.kind]
        items, pairs = sum(row.items for row in overall), sum(row.pairs for row in overall)
        return cls(task, items, pairs, skipped, tuple(rows), published)

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`; accuracies are fractions, published results are in percent."""
        return asdict(self)

    def table(self) -> Table:
        """Return a `rich` table of accuracies in percent with their 95 % intervals."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        caption = (
            "How often the good side is more likely; a tie is half. 95 % bootstrap interval in brackets."
        )
        if self.published:
            caption += " Published: the paper's results, by mean."
        table = Table(
            title=f"{self.task}: {self.items} items, {self.pairs} pairs{skipped}",
            caption=caption,
        )
        table.add_column("")
        table.add_column("items", justify="right", no_wrap=True)
        table.add_column("by mean %", justify="right", no_wrap=True)
        table.add_column("by sum %", justify="right", no_wrap=True)
        previous = None
        for row in self.rows:
            if previous and (previous.set, previous.kind) != (row.set, row.kind):
                table.add_section()
            previous = row
            name = row.name if row.kind == _OVERALL.kind else f"{row.kind}: {row.name}"
            name = f"{row.set} {name}" if row.set else name
            table.add_row(
                escape_markup(name),
                str(row.items),
                escape_markup(row.by_mean.percent),
                escape_markup(row.by_sum.percent),
            )
            if row.kind == _OVERALL.kind:
                for result in self.published:
                    table.add_row(f"  published: {result.what}", "", f"{result.percent:.1f}", "", style="dim")
        return table


def _set_rows(name: str | None, comparisons: list[Comparison], seed: int) -> list[PairRow]:
    """The rows of a set: overall, then its groups, kinds in the order of their first pair, groups by rank and name."""
    members: dict[Group, list[Comparison]] = {}
    for comparison in comparisons:
        for group in comparison.pair.groups:
            members.setdefault(group, []).append(comparison)
    kinds = list(dict.fromkeys(group.kind for group in members))
    groups = sorted(members, key=lambda group: (kinds.index(group.kind), group.rank, group.name))
    return [
        _row(name, _OVERALL, comparisons, seed),
        *(_row(name, group, members[group], seed) for group in groups),
    ]


def _row(name: str | None, group: Group, comparisons: list[Comparison], seed: int) -> PairRow:
    by_item: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        pair = comparison.pair
        # Keys of two kinds: the id of a pair may be the name of an item.
        key = ("pair", pair.id) if pair.item is None else ("item", pair.item)
        by_item.setdefault(key, []).append(comparison)
    readings = by_item.values()
    return PairRow(
        name,
        group.kind,
        group.name,
        len(by_item),
        len(comparisons),
        by_mean=Accuracy.of((sum(c.by_mean for c in one) / len(one) for one in readings), seed),
        by_sum=Accuracy.of((sum(c.by_sum for c in one) / len(one) for one in readings), seed),
    )
