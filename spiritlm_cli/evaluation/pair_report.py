"""Accuracies of likelihood comparisons over a benchmark's items and groups."""

from collections.abc import Sequence

from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.pairs import Group
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, Published, ResultRow

METRICS = (Metric("by_mean", "by mean"), Metric("by_sum", "by sum"))

_NOTE = (
    "How often the good side is more likely; a tie is half. "
    "by mean: log-likelihood per token; by sum: of all tokens."
)


def pair_result(
    description: RunDescription, records: Sequence[Record], published: tuple[Published, ...] = ()
) -> EvaluationResult | None:
    """Average comparisons over the readings of each item, then over items: in each set, overall and by group.

    records: of `ScoredEntry.to_record`. published: results of the whole sets. None if nothing was compared.
    """
    sets: dict[str | None, list[Record]] = {}
    for record in records:
        if "by_mean" in record:
            sets.setdefault(record["set"], []).append(record)
    if not sets:
        return None
    rows = [row for name, members in sets.items() for row in _set_rows(name, members, published)]
    pairs = sum(map(len, sets.values()))
    items = sum(row.items for row in rows if row.kind is None)
    return EvaluationResult(description, items, METRICS, tuple(rows), (_NOTE,), {"pairs": pairs})


def _set_rows(name: str | None, records: list[Record], published: tuple[Published, ...]) -> list[ResultRow]:
    """The rows of a set: overall, then its groups, kinds in the order of their first pair, groups by rank and name."""
    members: dict[Group, list[Record]] = {}
    for record in records:
        for group in record["groups"]:
            members.setdefault(Group(**group), []).append(record)
    kinds = list(dict.fromkeys(group.kind for group in members))
    groups = sorted(members, key=lambda group: (kinds.index(group.kind), group.rank, group.name))
    return [
        _row(name, None, records, published),
        *(_row(name, group, members[group]) for group in groups),
    ]


def _row(
    name: str | None, group: Group | None, records: list[Record], published: tuple[Published, ...] = ()
) -> ResultRow:
    by_item: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        # Keys of two kinds: the id of a pair may be the name of an item.
        key = ("pair", record["id"]) if record["item"] is None else ("item", record["item"])
        by_item.setdefault(key, []).append(record)
    values = {
        metric.name: Estimate.of_mean(
            sum(reading[metric.name] for reading in readings) / len(readings) for readings in by_item.values()
        )
        for metric in METRICS
    }
    return ResultRow(
        group.name if group else "overall",
        len(by_item),
        values,
        group.kind if group else None,
        name,
        published,
    )
