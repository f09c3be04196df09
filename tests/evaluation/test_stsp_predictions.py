from pathlib import Path
from typing import Any

import pytest
from stsp_fixtures import FIRST_ID, write_lines, write_released_example

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.stsp_data import StspRecord, read_set
from spiritlm_cli.evaluation.stsp_predictions import (
    Prediction,
    check_counts,
    compare,
    read_predictions,
    unknown_ids,
)


def references(path: Path) -> list[StspRecord]:
    return [record for record in read_set("ref", path) if isinstance(record, StspRecord)]


def test_compare_the_released_example(tmp_path: Path) -> None:
    reference_path, prediction_path = write_released_example(tmp_path)
    found = {one.id: one for one in read_predictions(prediction_path)}
    for label, right in (("sentiment", 2), ("emotion", 5)):
        records = [compare(one, found, label) for one in references(reference_path)]  # type: ignore[arg-type]
        assert sum(record["correct"] for record in records) == right
    assert records[0] == {
        "set": "ref",
        "item": str(FIRST_ID),
        "reference": "amused",
        "pred": "amused",
        "correct": 1,
    }


def test_unknown_ids(tmp_path: Path) -> None:
    reference_path, prediction_path = write_released_example(tmp_path)
    found = [*read_predictions(prediction_path)[1:], Prediction("7", "neutral")]
    assert unknown_ids(references(reference_path), found) == ["7"]
    missing = compare(references(reference_path)[0], {one.id: one for one in found}, "emotion")
    assert (missing["pred"], missing["correct"]) == (None, 0)


def test_check_counts() -> None:
    check_counts([1], [Prediction("1", "a")], Path("pred"))
    with pytest.raises(ManifestError, match="pred: has 0 predictions, and the references are 1"):
        check_counts([1], [], Path("pred"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"id": 1}], "line 1: pred is None, expected a label"),
        ([{"id": 1, "pred": "a"}, {"id": "1", "pred": "a"}], "line 2: duplicate id 1"),
        ([{"pred": "a"}], "line 1: id is None"),
    ],
)
def test_read_predictions_refuses(tmp_path: Path, lines: list[dict[str, Any]], message: str) -> None:
    path = write_lines(tmp_path / "pred.jsonl", lines)
    with pytest.raises(ManifestError, match=rf"pred\.jsonl: {message}"):
        read_predictions(path)


def test_read_predictions_keeps_generations(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "pred.jsonl", [{"id": 1, "pred": "a", "generation": "b"}])
    assert read_predictions(path) == [Prediction("1", "a", "b")]
