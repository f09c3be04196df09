from typing import Any

import pytest

from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.stsp_report import result


def description(**settings: Any) -> RunDescription:
    return RunDescription("stsp", "0", settings=settings)


def compared(reference: str, pred: str | None, number: int = 0) -> dict[str, Any]:
    return {"id": str(number), "item": str(number), "set": "ref", "reference": reference, "pred": pred}


def continued(
    direction: str, set_name: str, item: str, reference: str, pred: str | None, run: int = 0
) -> dict[str, Any]:
    return compared(reference, pred) | {
        "item": item,
        "set": set_name,
        "direction": direction,
        "run": run,
        "input": "neutral",
        "truncated": 0,
        "context": 64,
        "generation": None,
        "finished": True,
    }


def test_result_of_predictions() -> None:
    references = ("positive", "negative", "neutral", "neutral")
    predictions = ("positive", "neutral", "neutral", "negative")
    records = [
        compared(*pair, number) for number, pair in enumerate(zip(references, predictions, strict=True))
    ]
    found = result(description(), records)
    assert found.row("predictions").values["accuracy"].value == 0.5
    neutral = found.row("neutral", "reference").values
    assert (neutral["accuracy"].value, neutral["as negative"].value, neutral["as positive"].value) == (
        0.5,
        0.5,
        0,
    )
    assert found.row("negative", "reference").values["as neutral"].value == 1


def test_result_of_missing_predictions() -> None:
    """The released script leaves out the reference of a prediction whose id is unknown."""
    records = [compared("neutral", None if number == 4 else "neutral", number) for number in range(5)]
    ours = result(description(), records)
    assert ours.row("predictions").values["accuracy"].value == 0.8
    assert "without a prediction: 1 of 5, counted as wrong" in ours.notes[0]
    released = result(description(as_released=True), records)
    assert (released.items, released.row("predictions").values["accuracy"].value) == (4, 1.0)
    assert "left out" in released.notes[0]


def test_result_averages_runs_then_inputs_then_sets() -> None:
    records = [
        continued("s2s", "emov", "a", "neutral", "neutral", 0),
        continued("s2s", "emov", "a", "neutral", "positive", 1),
        continued("s2s", "read", "b", "positive", "positive", 0),
        continued("s2s", "read", "b", "positive", "positive", 1),
        continued("s2s", "read", "c", "positive", "negative", 0),
        continued("s2s", "read", "c", "positive", None, 1),
    ]
    found = result(description(shots=0), records)
    assert found.items == 3
    row = found.row("S→S")
    assert row.values["accuracy"].value == 0.5  # of 0.5 and 0.5
    assert row.values["input"].value == 0.5  # of 1 and 0
    assert [one.values["accuracy"] for one in row.published] == [33, 54, 33]
    assert found.row("S→S emov", "set").values["accuracy"].value == 0.5
    positive = found.row("S→S positive", "reference").values
    assert (positive["as none"].value, positive["as negative"].value) == (0.25, 0.25)
    assert "0 of 6 prompts were cut to fit into the model's context of 64 tokens." in found.notes
    assert "1 of 6 continuations have no speech, and count as wrong." in found.notes
    assert len(found.notes) == 3


def test_result_counts_empty_and_cut_texts() -> None:
    record = continued("t2t", "asr", "a", "neutral", "neutral")
    records = [record | {"generation": "", "truncated": 1}, record | {"run": 1, "finished": False}]
    assert result(description(), records).notes[1:] == (
        "1 of 2 continuations have no text, and are classified as an empty one.",
        "1 of 2 continuations ended at the limit on tokens.",
        "1 of 2 prompts were cut to fit into the model's context of 64 tokens.",
    )


def test_result_of_several_directions() -> None:
    records = [
        continued("t2t", "asr", "a", "neutral", "neutral"),
        continued("s2t", "emov", "a", "neutral", "neutral"),
        continued("s2t", "read", "b", "neutral", "positive"),
    ]
    found = result(description(shots=3), records)
    assert found.row("mean").values["accuracy"].value == 0.75
    assert found.row("S→T").values["accuracy"].value == 0.5
    assert [one.what for one in found.row("T→T").published] == ["Expressive, 3-shot"]
    assert found.row("T→T").published[0].values == {"accuracy": 64, "input": 86}


def test_published_means() -> None:
    records = [continued(name, "a", "a", "neutral", "neutral") for name in ("t2t", "t2s", "s2t", "s2s")]
    published = result(description(shots=0), records).row("mean").published
    assert {one.what: one.values["accuracy"] for one in published} == {"Base": 41, "Expressive": 48}


def test_interval_of_a_mean_of_sets() -> None:
    records = [
        continued("s2t", name, str(number), "neutral", "neutral" if number % 2 else "positive")
        for name in ("emov", "read")
        for number in range(20)
    ]
    estimate = result(description(), records).row("S→T").values["accuracy"]
    assert (estimate.value, estimate.count) == (0.5, 40)
    assert estimate.low == pytest.approx(0.34, abs=0.03)
    assert estimate.high == pytest.approx(0.66, abs=0.03)


def test_many_labels_have_no_columns() -> None:
    records = [compared(f"label {number}", "x", number) for number in range(9)]
    assert [metric.name for metric in result(description(), records).metrics] == ["accuracy"]
