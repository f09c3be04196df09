"""Accuracies of likelihood comparisons over a benchmark's items and groups."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.pairs import Group
from spiritlm_cli.evaluation.published_accuracies import published_accuracies, published_salmon
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, Published, ResultRow
from spiritlm_cli.evaluation.story_tables import TEXT_TO_TEXT

METRICS = (Metric("by_mean", "by mean"), Metric("by_sum", "by sum"))

_NOTE = (
    "How often the good side is more likely; a tie is half. "
    "by mean: log-likelihood per token; by sum: of all tokens."
)


def pair_result(
    description: RunDescription,
    records: Sequence[Record],
    published: Callable[[str | None], tuple[Published, ...]] = lambda _: (),
    mean_over: str | None = None,
    notes: tuple[str, ...] = (),
) -> EvaluationResult | None:
    """Average comparisons over the readings of each item, then over items: in each set, overall and by group.

    records: of `ScoredEntry.to_record`. published: results of a set. mean_over: kind of groups, such as "type", whose
    accuracies are averaged with the same weight too; "set" averages the sets. notes: on this benchmark. None if nothing
    was compared.
    """
    sets: dict[str | None, list[Record]] = {}
    for record in records:
        if "by_mean" in record:
            sets.setdefault(record["set"], []).append(record)
    if not sets:
        return None
    rows = [
        row for name, members in sets.items() for row in _set_rows(name, members, published(name), mean_over)
    ]
    items = sum(row.items for row in rows if (row.kind, row.name) == (None, "overall"))
    if mean_over == "set" and len(sets) > 1:
        labels = list(sets)
        members = [record for records in sets.values() for record in records]
        rows.append(_mean_row("mean over sets", None, members, lambda record: labels.index(record["set"])))
    pairs = sum(map(len, sets.values()))
    return EvaluationResult(description, items, METRICS, tuple(rows), (_NOTE, *notes), {"pairs": pairs})


def benchmark_result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult | None:
    """Compute the result of wuggy, blimp or prosaudit. Raises KeyError for a description that lacks a fact."""
    modality = {"speech": "S", "text": "T"}[description.facts["read as"]]
    # BLiMP's own sentences are others than those of sBLIMP.
    is_published = description.facts.get("set") != "BLiMP"
    published = published_accuracies(f"{description.task} {modality}") if is_published else ()
    mean_over = "type" if is_published else "UID"
    return pair_result(
        description, records, lambda _: published, None if description.task == "wuggy" else mean_over
    )


def story_result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult | None:
    """Compute the result of storycloze or topic-storycloze, whose sets are directions."""
    is_text = any(record["set"] == TEXT_TO_TEXT for record in records)
    notes = (
        (f"{TEXT_TO_TEXT}: a space joins a story and its ending; it belongs to the ending.",)
        if is_text
        else ()
    )

    def published(direction: str | None) -> tuple[Published, ...]:
        return published_accuracies(f"{description.task} {direction}")

    return pair_result(description, records, published, notes=notes)


def salmon_result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult | None:
    """Compute the result of salmon, whose sets are its parts."""
    return pair_result(description, records, lambda part: published_salmon(str(part)), "set")


def _set_rows(
    name: str | None, records: list[Record], published: tuple[Published, ...], mean_over: str | None
) -> list[ResultRow]:
    """The rows of a set: overall, then its groups, kinds in the order of their first pair, groups by rank and name."""
    members: dict[Group, list[Record]] = {}
    for record in records:
        for group in record["groups"]:
            members.setdefault(Group(**group), []).append(record)
    kinds = list(dict.fromkeys(group.kind for group in members))
    groups = sorted(members, key=lambda group: (kinds.index(group.kind), group.rank, group.name))
    labels = {group.name: index for index, group in enumerate(groups) if group.kind == mean_over}

    # Records without such a group are in no group's accuracy.
    label = {
        record["id"]: labels[group["name"]]
        for record in records
        for group in record["groups"]
        if group["kind"] == mean_over
    }
    labeled = [record for record in records if record["id"] in label]
    means = (
        [_mean_row(f"mean over {mean_over}s", name, labeled, lambda record: label[record["id"]])]
        if len(labels) > 1
        else []
    )
    return [
        _row(name, None, records, published),
        *means,
        *(_row(name, group, members[group]) for group in groups),
    ]


def _row(
    name: str | None, group: Group | None, records: list[Record], published: tuple[Published, ...] = ()
) -> ResultRow:
    items = _items(records)
    values = {metric.name: Estimate.of_mean(_values(items, metric)) for metric in METRICS}
    kind, label = (group.kind, group.name) if group else (None, "overall")
    return ResultRow(label, len(items), values, kind, name, published)


def _mean_row(
    label: str, name: str | None, records: list[Record], group_of: Callable[[Record], int]
) -> ResultRow:
    """The mean of the accuracies of groups, each with the same weight. group_of: index of a record's group."""
    items = _items(records)
    groups = np.array([group_of(readings[0]) for readings in items])
    values = {}
    for metric in METRICS:
        accuracies = np.array(_values(items, metric))

        def mean(drawn: NDArray[np.int64], accuracies: NDArray[np.float64] = accuracies) -> float:
            counts = np.bincount(groups[drawn])
            sums = np.bincount(groups[drawn], accuracies[drawn])
            return float((sums[counts > 0] / counts[counts > 0]).mean())

        values[metric.name] = Estimate.of(mean, len(items))
    return ResultRow(label, len(items), values, None, name)


def _items(records: list[Record]) -> list[list[Record]]:
    """The readings of each item."""
    items: dict[tuple[str | None, str, str], list[Record]] = {}
    for record in records:
        # Keys of two kinds: the id of a pair may be the name of an item.
        key = ("pair", record["id"]) if record["item"] is None else ("item", record["item"])
        items.setdefault((record["set"], *key), []).append(record)
    return list(items.values())


def _values(items: list[list[Record]], metric: Metric) -> list[float]:
    """The mean of a metric over the readings of each item."""
    return [sum(reading[metric.name] for reading in readings) / len(readings) for readings in items]
