"""The result of `abx`, from the records of groups of tokens."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.evaluation.abx import AbxCell, AbxGroup
from spiritlm_cli.evaluation.abx_average import AbxAverage
from spiritlm_cli.evaluation.abx_items import AbxToken
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, ResultRow

METRICS = (Metric("error", "ABX error", digits=2),)


def group_record(
    group: AbxGroup, cells: Sequence[AbxCell], without_frames: Iterable[AbxToken] = ()
) -> Record:
    """The record of a group. without_frames: the tokens that were left out, as they have none."""
    return {
        "mode": group.mode,
        "context": list(group.context),
        "speaker": group.speaker,
        "x_speaker": group.x_speaker,
        "cells": [[cell.a, cell.b, cell.error, cell.triples] for cell in cells],
        "without_frames": sorted([token.file, token.onset, token.offset] for token in without_frames),
    }


def result(description: RunDescription, records: Sequence[Record]) -> EvaluationResult:
    """Compute the error within and across speakers from records of groups."""
    rows = []
    for mode in dict.fromkeys(record["mode"] for record in records):
        groups = [record for record in records if record["mode"] == mode and record["cells"]]
        if groups:
            values = {"error": _error(groups)}
            rows.append(
                ResultRow(f"{mode} speakers" if mode == "across" else f"{mode} speaker", len(groups), values)
            )
    cells = [cell for record in records for cell in record["cells"]]
    counts = {"pairs in context": len(cells), "triples": sum(cell[3] for cell in cells)}
    # Groups share tokens.
    if empty := {tuple(token) for record in records for token in record["without_frames"]}:
        counts["phones without frames"] = len(empty)
    notes = (
        "Error: chance is 50. Mean over contexts, then over speakers, then over ordered pairs of phones; the items are "
        "groups of one context and its speakers.",
    )
    return EvaluationResult(description, len(records), METRICS, tuple(rows), notes, counts)


def _error(groups: Sequence[Record]) -> Estimate:
    cells = [(index, *cell) for index, record in enumerate(groups) for cell in record["cells"]]
    owners = np.array([cell[0] for cell in cells])
    average = AbxAverage(
        [cell[3] for cell in cells],
        [groups[cell[0]]["speaker"] for cell in cells],
        [(cell[1], cell[2]) for cell in cells],
    )

    def of_drawn(drawn: NDArray[np.int64]) -> float:
        return average(np.bincount(drawn, minlength=len(groups)).astype(np.float64)[owners])

    return Estimate.of(of_drawn, len(groups))
