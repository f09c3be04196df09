"""Multiple-choice questions: which choice is the likeliest, and the gap between text and speech."""

import pytest

from spiritlm_cli.evaluation.choice import choice_record, credit, result
from spiritlm_cli.evaluation.choice_files import Question
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.language.scoring import Score

DESCRIPTION = RunDescription("choice", "1.0")


def record(name: str, direction: str, correct: bool, group: str | None = None) -> Record:
    question = Question(name, direction, "q.jsonl: line 1", (), ((), ()), 0, group, (1, 1))
    return choice_record(question, [Score(-1.0 if correct else -3.0, 1), Score(-2.0, 1)])


def test_credit_divides_ties() -> None:
    assert credit([-1.0, -2.0, -3.0], 0) == 1.0
    assert credit([-1.0, -2.0, -3.0], 1) == 0.0
    assert credit([-1.0, -1.0, -3.0], 1) == 0.5
    assert credit([-1.0, -1.0, -3.0], 2) == 0.0


def test_choice_record_normalizes_by_token_by_byte_and_not_at_all() -> None:
    scores = [Score(-6.0, 2), Score(-8.0, 4)]
    question = Question("q", "T→T", "q.jsonl: line 1", (), ((), ()), 0, None, (3, 8))
    found = choice_record(question, scores)
    # by sum -6 > -8; by token -3 < -2; by byte -2 < -1
    assert (found["by_sum"], found["by_mean"], found["by_byte"]) == (1.0, 0.0, 0.0)
    assert found["choices"] == [
        {"log_likelihood": -6.0, "tokens": 2, "bytes": 3},
        {"log_likelihood": -8.0, "tokens": 4, "bytes": 8},
    ]
    speech = Question("q", "S→S", "q.jsonl: line 1", (), ((), ()), 0, None, None)
    assert "by_byte" not in choice_record(speech, scores)


def test_result_by_direction_and_group() -> None:
    records = [
        record("1", "S→S", False, "law"),
        record("1", "T→T", True, "law"),
        record("2", "T→T", False, "art"),
        record("2", "S→S", False, "art"),
    ]
    found = result(DESCRIPTION, records)
    assert [(row.set, row.kind, row.name) for row in found.rows] == [
        ("T→T", None, "overall"),
        ("T→T", "group", "art"),
        ("T→T", "group", "law"),
        ("S→S", None, "overall"),
        ("S→S", "group", "art"),
        ("S→S", "group", "law"),
        ("gap", None, "T→T − S→S"),
    ]
    assert found.row("overall", set="T→T").values["by_sum"].value == 0.5
    assert found.notes[-1] == "Chance is 50.0 %."


def test_gap_is_over_the_questions_of_both_forms() -> None:
    records = [
        record("1", "T→T", True), record("2", "T→T", True), record("3", "T→T", False), record("4", "T→T", True),
        record("1", "S→S", False), record("2", "S→S", True), record("3", "S→S", True), record("5", "S→S", True),
    ]  # fmt: skip
    gap = result(DESCRIPTION, records).row("T→T − S→S", set="gap")
    assert gap.items == 3
    assert gap.values["by_mean"].value == pytest.approx(0.0)
    assert gap.values["by_mean"].low == pytest.approx(-1.0)
    text_alone = result(DESCRIPTION, [*records[:4], record("9", "S→S", True)])
    assert all(row.set != "gap" for row in text_alone.rows)
