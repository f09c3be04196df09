"""`units`: how well the units of a tokenizer agree with phones, use their codebook, and stay the same."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.english.normalize import normalize
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.phone_agreement import Counts, Information, PhoneAgreement
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, ResultRow
from spiritlm_cli.evaluation.unit_counts import (
    BITRATES,
    USE,
    StreamCounts,
    bitrate_values,
    codebook_size,
    stream_kinds,
    units_of,
)
from spiritlm_cli.evaluation.unit_edits import UnitEdits
from spiritlm_cli.tokens.units import Kind

_NAMES = {Kind.HUBERT: "phonetic", Kind.PITCH: "pitch", Kind.STYLE: "style"}
_AGREEMENT: dict[str, Callable[[Counts], float]] = {
    "phone_purity": lambda counts: PhoneAgreement.of_counts(counts).phone_purity,
    "cluster_purity": lambda counts: PhoneAgreement.of_counts(counts).cluster_purity,
    "pnmi": lambda counts: PhoneAgreement.of_counts(counts).pnmi,
    "unit_information": lambda counts: _per_unit_entropy(Information.of_counts(counts)),
}
_EDITS = (
    Metric("ued", "edits / units"),
    Metric("mean_ued", "mean of clips"),
    Metric("frame_ued", "edits / frames"),
)
METRICS = (
    Metric("phone_purity", "phone purity"),
    Metric("cluster_purity", "cluster purity"),
    Metric("pnmi", "PNMI"),
    Metric("unit_information", "information / unit entropy"),
    *USE,
    *BITRATES,
    *_EDITS,
)


def result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult:
    """Compute the result of records of clips.

    A record has `seconds`, `units` (see `units_to_json`), and where they are known `phones` (a name for each phonetic
    frame), `changes` (`UnitEdits` by the name of a change), `text` and `speaker`.
    """
    streams = [
        StreamCounts.of(records, kind, codebook_size(description.facts, kind))
        for kind in stream_kinds(records)
    ]
    with_phones = [record for record in records if record.get("phones")]
    rows = [_stream_row(stream, with_phones) for stream in streams]
    if len(streams) > 1:
        rows.append(ResultRow("all streams", len(records), bitrate_values(streams)))
    rows += _change_rows(records)
    rows += _speaker_row(records)
    notes = []
    if any("ued" in row.values for row in rows):
        notes.append(
            "Edits: unit edit distance to the unchanged speech, or to another speaker's, runs merged; of the corpus "
            "(edits / units), and the mean of the clips."
        )
    if "phones of" in description.facts and len(with_phones) < len(records):
        notes.append(f"Phones are known of {len(with_phones)} clips.")
    found = {name for row in rows for name in row.values}
    metrics = tuple(metric for metric in METRICS if metric.name in found)
    seconds = sum(record["seconds"] for record in records)
    return EvaluationResult(
        description, len(records), metrics, tuple(rows), tuple(notes), {"seconds": seconds}
    )


def _stream_row(stream: StreamCounts, with_phones: Sequence[Record]) -> ResultRow:
    values = stream.use() | bitrate_values([stream])
    if stream.kind is Kind.HUBERT and with_phones:
        values = _agreement(with_phones) | values
    return ResultRow(_NAMES[stream.kind], len(stream.seconds), values)


def _agreement(records: Sequence[Record]) -> dict[str, Estimate]:
    """The agreement of phonetic units with phones, over the frames of all clips."""
    joint = _JointCounts(records)
    # A resample has fewer distinct clips, so that more of its units occur with one phone.
    return {
        name: Estimate.of(joint.statistic(compute), len(records), centered=True)
        for name, compute in _AGREEMENT.items()
    }


class _JointCounts:
    """Frames of each pair of a unit and a phone, in each clip."""

    def __init__(self, records: Sequence[Record]) -> None:
        phones: dict[str, int] = {}
        clips, cells = [], []
        units = [units_of(record) for record in records]
        numbers = [
            np.array([phones.setdefault(name, len(phones)) for name in record["phones"]], dtype=np.int64)
            for record in records
        ]
        largest = max((int(ids.max()) for ids in units if len(ids)), default=0)
        self._shape = (largest + 1, max(1, len(phones)))
        for clip, (ids, names) in enumerate(zip(units, numbers, strict=True)):
            # The shorter of both, as in HuBERT's script.
            frames = min(len(ids), len(names))
            cells.append(ids[:frames] * self._shape[1] + names[:frames])
            clips.append(np.full(frames, clip))
        self._clips, self._cells, self._count = np.concatenate(clips), np.concatenate(cells), len(records)

    def statistic(self, compute: Callable[[Counts], float]) -> Callable[[NDArray[np.int64]], float]:
        """A statistic of the clips with these indices, from one of the counts, (units, phones); NaN without frames."""

        def of_drawn(drawn: NDArray[np.int64]) -> float:
            weights = np.bincount(drawn, minlength=self._count).astype(np.float64)[self._clips]
            counts = np.bincount(self._cells, weights, self._shape[0] * self._shape[1]).reshape(self._shape)
            return compute(counts.astype(np.float64)) if counts.any() else float("nan")

        return of_drawn


def _per_unit_entropy(information: Information) -> float:
    return information.mutual / information.unit_entropy if information.unit_entropy > 0 else 0.0


def _change_rows(records: Sequence[Record]) -> Iterator[ResultRow]:
    names = dict.fromkeys(name for record in records for name in record.get("changes", ()))
    for name in names:
        edits = [
            UnitEdits(**record["changes"][name]) for record in records if name in record.get("changes", ())
        ]
        values = _edit_values([[one] for one in edits])
        yield ResultRow(name, len(edits), values, kind="change")


def _speaker_row(records: Sequence[Record]) -> Iterator[ResultRow]:
    """Edits between the clips of one sentence by different speakers, each with each, in both directions."""
    sentences: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.get("speaker") and (text := normalize(record.get("text") or "")):
            sentences[text].append(record)
    pairs = [list(_pairs(clips)) for clips in sentences.values()]
    pairs = [edits for edits in pairs if edits]
    if pairs:
        yield ResultRow("between speakers", len(pairs), _edit_values(pairs), kind="sentences")


def _pairs(clips: Sequence[Record]) -> Iterator[UnitEdits]:
    for one, other in combinations(clips, 2):
        if one["speaker"] != other["speaker"]:
            yield from UnitEdits.in_both_directions(units_of(one), units_of(other))


def _edit_values(groups: Sequence[Sequence[UnitEdits]]) -> dict[str, Estimate]:
    """Values of the metrics of edits. groups: what the interval draws together, such as the pairs of a sentence."""

    def sums(value: Callable[[UnitEdits], float]) -> list[float]:
        return [sum(map(value, edits)) for edits in groups]

    edits, ones = sums(lambda edit: edit.edits), sums(lambda edit: 1.0)
    values: dict[str, tuple[Any, Any]] = {
        "ued": (edits, sums(lambda edit: edit.units)),
        "mean_ued": (sums(lambda edit: edit.rate), ones),
        "frame_ued": (edits, sums(lambda edit: edit.frames)),
    }
    return {name: Estimate.of_ratio(*both) for name, both in values.items() if sum(both[1])}
