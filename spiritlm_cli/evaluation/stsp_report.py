"""The result of `stsp`: accuracies by direction and set, and what was predicted for each sentiment."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, Published, ResultRow
from spiritlm_cli.evaluation.stsp_data import SENTIMENTS
from spiritlm_cli.evaluation.stsp_directions import DIRECTIONS, Direction

TITLES: Mapping[Direction, str] = {"t2t": "T→T", "t2s": "T→S", "s2t": "S→T", "s2s": "S→S"}
# Accuracies of the paper by number of examples, for each model in the order of DIRECTIONS.
_PUBLISHED: dict[int, dict[str, tuple[int, int, int, int]]] = {
    0: {"Base": (65, 33, 34, 33), "Expressive": (63, 38, 36, 54), "cascade": (65, 36, 33, 33)},
    3: {"Expressive, 3-shot": (64, 37, 34, 50)},
    6: {"Expressive, 6-shot": (67, 39, 35, 51)},
    9: {"Expressive, 9-shot": (64, 38, 37, 40)},
}
# Accuracies of the paper's classifiers on the inputs.
_PUBLISHED_INPUTS = {"t": 86.0, "s": 96.0}
_MEANS = {"Base": 41.0, "Expressive": 48.0}
# More labels than these have no columns.
_MAX_LABELS = 8
# In place of the label of an item without output.
NONE = "none"


@dataclass(frozen=True)
class _Group:
    """The records of one input in one direction: as many as there are runs."""

    set: str
    records: tuple[Record, ...]

    @property
    def accuracy(self) -> float:
        return sum(bool(one["pred"] == one["reference"]) for one in self.records) / len(self.records)

    @property
    def reference(self) -> str:
        reference: str = self.records[0]["reference"]
        return reference

    def input_accuracy(self) -> float:
        """Whether the input was classified right. NaN if it was not classified."""
        first = self.records[0]
        return float(first["input"] == first["reference"]) if first.get("input") else float("nan")

    def share(self, label: str) -> float:
        """The share of runs in which a label was predicted."""
        return sum(bool((one["pred"] or NONE) == label) for one in self.records) / len(self.records)


def result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult:
    """Compute the result of records of `Stsp.measure`, or of `compare`.

    The accuracy of an input is the mean over runs; that of a direction is the mean over its inputs if it has one set,
    and the mean of those of its sets if it has several.
    """
    if "direction" not in records[0]:
        return _comparison(description, records)
    labels = _labels(records)
    groups = {
        direction: _grouped(one for one in records if one["direction"] == direction)
        for direction in DIRECTIONS
    }
    used = {direction: members for direction, members in groups.items() if members}
    shots = description.settings.get("shots") or 0
    rows = [
        ResultRow(TITLES[name], len(members), _values(members, labels), published=_published(name, shots))
        for name, members in used.items()
    ]
    if len(used) > 1:
        rows.append(_mean_row(used, shots))
    for name, members in used.items():
        sets = dict.fromkeys(group.set for group in members)
        if len(sets) > 1:
            for one in sets:
                of_set = [group for group in members if group.set == one]
                rows.append(ResultRow(f"{TITLES[name]} {one}", len(of_set), _values(of_set, labels), "set"))
    for name, members in used.items():
        rows += _class_rows(f"{TITLES[name]} ", members, labels)
    metrics = _metrics(labels, any(record.get("input") for record in records))
    return EvaluationResult(
        description, sum(map(len, used.values())), metrics, tuple(rows), tuple(_notes(records))
    )


def _comparison(description: RunDescription, records: Sequence[Record]) -> EvaluationResult:
    """The result of predictions from a file."""
    as_released = bool(description.settings.get("as_released"))
    used = [record for record in records if not (as_released and record["pred"] is None)] or records
    groups = [_Group(record["set"], (record,)) for record in used]
    labels = _labels(used)
    rows = [ResultRow("predictions", len(groups), _values(groups, labels)), *_class_rows("", groups, labels)]
    missing = sum(record["pred"] is None for record in records)
    handling = "left out, as the released script does" if as_released else "counted as wrong"
    notes = [f"References without a prediction: {missing} of {len(records)}, {handling}."] if missing else []
    return EvaluationResult(
        description, len(groups), _metrics(labels, False, digits=2), tuple(rows), tuple(notes)
    )


def _labels(records: Iterable[Record]) -> tuple[str, ...]:
    """The labels that have columns: the references' in order, then others that were predicted."""
    records = list(records)
    references = {record["reference"] for record in records}
    known = SENTIMENTS if references <= set(SENTIMENTS) else tuple(sorted(references))
    others = sorted({record["pred"] or NONE for record in records} - set(known))
    labels = (*known, *others)
    return labels if len(labels) <= _MAX_LABELS else ()


def _metrics(labels: Iterable[str], with_inputs: bool, digits: int = 1) -> tuple[Metric, ...]:
    inputs = (Metric("input", "input"),) if with_inputs else ()
    return (
        Metric("accuracy", "accuracy", digits=digits),
        *inputs,
        *(Metric(f"as {label}", f"as {label}") for label in labels),
    )


def _grouped(records: Iterable[Record]) -> list[_Group]:
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["set"], record["item"]), []).append(record)
    return [_Group(name, tuple(members)) for (name, _), members in groups.items()]


def _values(groups: Sequence[_Group], labels: Iterable[str]) -> dict[str, Estimate]:
    """The metrics over inputs; means of sets weigh the sets equally."""
    values = {"accuracy": _mean(groups, lambda group: group.accuracy)}
    classified = [group for group in groups if not np.isnan(group.input_accuracy())]
    if classified:
        values["input"] = _mean(classified, _Group.input_accuracy)
    for label in labels:
        values[f"as {label}"] = _mean(groups, lambda group, label=label: group.share(label))  # type: ignore[misc]
    return values


def _mean(groups: Sequence[_Group], value: Callable[[_Group], float]) -> Estimate:
    """The mean of the sets' means."""
    sets: dict[str, list[float]] = {}
    for group in groups:
        sets.setdefault(group.set, []).append(value(group))
    return _mean_of_parts(list(sets.values()), [1.0] * len(sets))


def _mean_of_parts(parts: Sequence[Sequence[float]], weights: Sequence[float]) -> Estimate:
    """The weighted mean of the means of several parts, and its bootstrap over all values."""
    if len(parts) == 1:
        return Estimate.of_mean(parts[0])
    values, share = np.concatenate(parts), np.array(weights) / sum(weights)
    part = np.repeat(np.arange(len(parts)), [len(one) for one in parts])

    def statistic(drawn: NDArray[np.int64]) -> float:
        counts = np.bincount(part[drawn], minlength=len(parts))
        if not counts.all():
            return float("nan")
        sums = np.bincount(part[drawn], weights=values[drawn], minlength=len(parts))
        return float(sums / counts @ share)

    return Estimate.of(statistic, len(values))


def _mean_row(used: Mapping[Direction, Sequence[_Group]], shots: int) -> ResultRow:
    """The mean of the directions, each the mean of its sets."""
    parts, weights = [], []
    for groups in used.values():
        sets = dict.fromkeys(group.set for group in groups)
        for name in sets:
            parts.append([group.accuracy for group in groups if group.set == name])
            weights.append(1 / len(sets))
    has_published = not shots and set(used) == set(DIRECTIONS)
    published = [Published(what, {"accuracy": value}) for what, value in _MEANS.items()]
    return ResultRow(
        "mean",
        sum(map(len, parts)),
        {"accuracy": _mean_of_parts(parts, weights)},
        published=tuple(published) if has_published else (),
    )


def _class_rows(prefix: str, groups: Sequence[_Group], labels: Iterable[str]) -> list[ResultRow]:
    """For each reference label the accuracy, and what was predicted: a row of the confusion matrix."""
    rows = []
    for reference in sorted({group.reference for group in groups}):
        members = [group for group in groups if group.reference == reference]
        rows.append(ResultRow(f"{prefix}{reference}", len(members), _values(members, labels), "reference"))
    return rows


def _published(direction: Direction, shots: int) -> tuple[Published, ...]:
    index, inputs = DIRECTIONS.index(direction), _PUBLISHED_INPUTS[direction[0]]
    return tuple(
        Published(what, {"accuracy": values[index], "input": inputs})
        for what, values in _PUBLISHED.get(shots, {}).items()
    )


def _notes(records: Sequence[Record]) -> Iterable[str]:
    yield (
        "accuracy: continuations with the sentiment of the input, chance 33.3; input: inputs that are classified "
        "right; as …: share that is classified so."
    )
    if silent := sum(record["pred"] is None for record in records):
        yield f"{silent} of {len(records)} continuations have no speech, and count as wrong."
    if empty := sum(record["generation"] == "" for record in records):
        yield f"{empty} of {len(records)} continuations have no text, and are classified as an empty one."
    if unfinished := sum(not record["finished"] for record in records):
        yield f"{unfinished} of {len(records)} continuations ended at the limit on tokens."
    cut = sum(record["truncated"] > 0 for record in records)
    yield f"{cut} of {len(records)} prompts were cut to fit into the model's context of {records[0]['context']} tokens."
