"""How often the language model found the right side of a pair likelier, as a table and as JSON."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.pairs import Comparison, Group


@dataclass(frozen=True)
class Accuracy:
    """The part of pairs in which the right side was the likelier, with its 95 % interval; fractions."""

    accuracy: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float], seed: int = 0, resamples: int = 1000) -> "Accuracy":
        """The mean of the items' values, and the percentile bootstrap over items (as `metrics.error_rate`).

        Raises ValueError where there are none.
        """
        distinct, counts = np.unique(np.fromiter(values, dtype=np.float64), return_counts=True)
        total = int(counts.sum())
        if not total:
            raise ValueError("an accuracy needs at least one pair")
        # items drawn with replacement matter only by how many have which value: far fewer numbers than items
        drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=resamples)
        low, high = np.percentile(drawn @ distinct / total, [2.5, 97.5])
        return cls(float(counts @ distinct / total), float(low), float(high))


@dataclass(frozen=True)
class PublishedAccuracy:
    """A number from the paper, in percent, by mean log-likelihood: a yardstick, not a target."""

    what: str
    percent: float


@dataclass(frozen=True)
class PairRow:
    """The accuracy over the items of one group in a set; kind is "overall" for all of the set."""

    set: str | None
    kind: str
    name: str
    items: int
    pairs: int
    by_mean: Accuracy
    by_sum: Accuracy


@dataclass(frozen=True)
class PairReport:
    """A benchmark's result. skipped: pairs that couldn't be used."""

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
        """Averaged over the readings of an item, then over items, in all and for each group, set by set.

        Raises ManifestError where there are no comparisons.
        """
        sets: dict[str | None, list[Comparison]] = {}
        for comparison in comparisons:
            sets.setdefault(comparison.pair.set, []).append(comparison)
        if not sets:
            raise ManifestError(f"{task}: no pair was scored")
        rows: list[PairRow] = []
        for name, found in sets.items():
            rows.append(_row(name, Group("overall", "overall"), found, seed))
            members: dict[Group, list[Comparison]] = {}
            for comparison in found:
                for group in comparison.pair.groups:
                    members.setdefault(group, []).append(comparison)
            kinds = list(dict.fromkeys(group.kind for group in members))
            for group in sorted(
                members, key=lambda group: (kinds.index(group.kind), group.place, group.name)
            ):
                rows.append(_row(name, group, members[group], seed))
        overall = [row for row in rows if row.kind == "overall"]
        items, pairs = sum(row.items for row in overall), sum(row.pairs for row in overall)
        return cls(task, items, pairs, skipped, tuple(rows), published)

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`: accuracies are fractions, the published numbers percent as the paper prints them."""
        return asdict(self)

    def table(self) -> Table:
        """For `rich`: percent, with the 95 % interval."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        caption = "Likelier of two, a tie is half. 95 % bootstrap interval in brackets."
        if self.published:
            caption += " Published: the paper's numbers, by mean."
        table = Table(
            title=f"{self.task}: {self.items} items, {self.pairs} pairs{skipped}",
            caption=caption,
        )
        table.add_column("")
        table.add_column("items", justify="right", no_wrap=True)
        table.add_column("by mean %", justify="right", no_wrap=True)
        table.add_column("by sum %", justify="right", no_wrap=True)
        before = None
        for row in self.rows:
            if before and (before.set, before.kind) != (row.set, row.kind):
                table.add_section()
            before = row
            name = row.name if row.kind == "overall" else f"{row.kind}: {row.name}"
            name = f"{row.set} {name}" if row.set else name
            cells = (name, str(row.items), _percent(row.by_mean), _percent(row.by_sum))
            table.add_row(*(cell.replace("[", "\\[") for cell in cells))
            if row.kind == "overall":
                for number in self.published:
                    table.add_row(f"  published: {number.what}", "", f"{number.percent:.1f}", "", style="dim")
        return table


def _row(name: str | None, group: Group, comparisons: list[Comparison], seed: int) -> PairRow:
    by_item: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        pair = comparison.pair
        # an item of its own must not meet one that is named as it is
        key = ("pair", pair.id) if pair.item is None else ("item", pair.item)
        by_item.setdefault(key, []).append(comparison)
    readings = by_item.values()
    return PairRow(
        name,
        group.kind,
        group.name,
        len(by_item),
        len(comparisons),
        by_mean=Accuracy.of((sum(c.by_mean for c in found) / len(found) for found in readings), seed),
        by_sum=Accuracy.of((sum(c.by_sum for c in found) / len(found) for found in readings), seed),
    )


def _percent(rate: Accuracy) -> str:
    return f"{100 * rate.accuracy:.1f} [{100 * rate.low:.1f}–{100 * rate.high:.1f}]"
