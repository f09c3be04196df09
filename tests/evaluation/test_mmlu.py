"""MMLU: its files, its prompt and its averages."""

import csv
from collections.abc import Iterable
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.mmlu import (
    CATEGORIES,
    BadQuestion,
    FittedPrompt,
    Question,
    answer_record,
    find_subjects,
    fit_prompt,
    prompt,
    read_examples,
    read_questions,
    result,
)
from spiritlm_cli.evaluation.records import Record, RunDescription

DESCRIPTION = RunDescription("mmlu", "1.0")


def question(subject: str = "anatomy", number: int = 1, text: str = "Which?", answer: int = 0) -> Question:
    return Question(subject, number, f"a.csv: line {number}", text, ("w", "x", "y", "z"), answer)


def record(subject: str, correct: bool, shots: int = 5) -> Record:
    scores = (-1.0, -2.0, -3.0, -4.0) if correct else (-2.0, -1.0, -3.0, -4.0)
    return answer_record(question(subject), FittedPrompt([1, 2, 3], shots, 5), scores)


def write_csv(path: Path, rows: Iterable[Iterable[str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_categories_have_57_subjects() -> None:
    subjects = [subject for members in CATEGORIES.values() for subject in members]
    assert len(subjects) == len(set(subjects)) == 57
    assert list(map(len, CATEGORIES.values())) == [18, 13, 12, 14]


def test_read_questions_keeps_cells_verbatim(tmp_path: Path) -> None:
    rows = [
        (' He said: "No, no."\nWhich of these?', "NA", "1.0", "a, b", "", "D"),
        ("Second", "w", "x", "y", "z", "A"),
    ]
    path = write_csv(tmp_path / "anatomy_test.csv", rows)
    first, second = read_questions(path, "anatomy")
    assert isinstance(first, Question)
    assert (first.text, first.choices, first.answer) == (rows[0][0], ("NA", "1.0", "a, b", ""), 3)
    assert (first.id, first.source) == ("anatomy/1", f"{path}: line 1")
    assert isinstance(second, Question)
    assert (second.id, second.source) == ("anatomy/2", f"{path}: line 3")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("question,a,b,c,A", "line 1: 5 columns, not 6"),
        ("question,a,b,c,d,E", "line 1: the answer is 'E', not A, B, C or D"),
        ("what\0for,a,b,c,d,A", "line 1: "),
        ('"question,a,b,c,d,A', "line 1: a quote is not closed"),
    ],
)
def test_read_questions_refuses_a_row(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "anatomy_test.csv"
    path.write_text(f"{line}\n")
    (bad,) = read_questions(path, "anatomy")
    assert isinstance(bad, BadQuestion)
    assert message in str(bad.error)
    assert bad.id == "anatomy/1"


@pytest.mark.parametrize("top", [".", "data"])
def test_find_subjects(top: str, tmp_path: Path) -> None:
    for name in ("virology", "anatomy"):
        write_csv(tmp_path / top / "test" / f"{name}_test.csv", [])
    subjects = find_subjects(tmp_path)
    assert [subject.name for subject in subjects] == ["anatomy", "virology"]
    assert subjects[0].examples == tmp_path / top / "dev" / "anatomy_dev.csv"
    assert [subject.name for subject in find_subjects(tmp_path, names=["virology"])] == ["virology"]
    with pytest.raises(ManifestError, match=r"no marketing_test\.csv"):
        find_subjects(tmp_path, names=["marketing"])
    with pytest.raises(ManifestError, match="has no val/"):
        find_subjects(tmp_path, "val")


def test_read_examples_needs_as_many_as_shots(tmp_path: Path) -> None:
    write_csv(tmp_path / "test" / "anatomy_test.csv", [("q", "w", "x", "y", "z", "A")])
    (subject,) = find_subjects(tmp_path)
    assert read_examples(subject, 0) == []
    with pytest.raises(ManifestError, match="no such file"):
        read_examples(subject, 1)
    write_csv(subject.examples, [("q1", "w", "x", "y", "z", "A"), ("q2", "w", "x", "y", "z", "B")])
    assert [example.text for example in read_examples(subject, 1)] == ["q1"]
    with pytest.raises(ManifestError, match="has 2 examples; --shots 5 needs more"):
        read_examples(subject, 5)


def test_prompt_is_the_original_one() -> None:
    examples = [question("us_foreign_policy", 1, "First?", 1), question("us_foreign_policy", 2, "Second?", 3)]
    assert prompt(question("us_foreign_policy", 3, "Third?"), examples) == (
        "The following are multiple choice questions (with answers) about  us foreign policy.\n\n"
        "First?\nA. w\nB. x\nC. y\nD. z\nAnswer: B\n\n"
        "Second?\nA. w\nB. x\nC. y\nD. z\nAnswer: D\n\n"
        "Third?\nA. w\nB. x\nC. y\nD. z\nAnswer:"
    )


def test_fit_prompt_leaves_out_the_last_examples() -> None:
    examples = [question(number=number, text=f"{number}?") for number in range(1, 6)]

    def encode(text: str) -> list[int]:
        return [0] * text.count("?")

    assert fit_prompt(question(), examples, encode, 6) == FittedPrompt([0] * 6, 5, 5)
    assert fit_prompt(question(), examples, encode, 3) == FittedPrompt([0] * 3, 2, 5)
    assert fit_prompt(question(), examples, encode, 1).shots == 0
    with pytest.raises(ManifestError, match=r"a.csv: line 1: the question has 1 tokens.* room for 0"):
        fit_prompt(question(), examples, encode, 0)


def test_answer_record_takes_the_first_of_equal_letters() -> None:
    tie = answer_record(question(answer=2), FittedPrompt([1], 0, 0), (-2.0, -1.0, -1.0, -3.0))
    assert (tie["choice"], tie["answer"], tie["correct"], tie["tie"]) == ("B", "C", False, True)
    assert not answer_record(question(), FittedPrompt([1], 0, 0), (-1.0, -2.0, -2.0, -3.0))["tie"]


def test_result_over_questions_and_over_subjects() -> None:
    records = [record("anatomy", number < 3) for number in range(4)] + [record("virology", True, shots=4)]
    found = result(DESCRIPTION, records)
    assert found.row("over questions").values["accuracy"].value == pytest.approx(0.800)
    assert found.row("over subjects").values["accuracy"].value == pytest.approx(0.875)
    assert found.row("over questions").published[0].values == {"accuracy": 36.9}
    assert found.counts == {"ties": 0, "shortened prompts": 1}
    assert found.row("anatomy", "subject").values["accuracy"].value == 0.75
    assert found.row("virology", "subject").items == 1


def test_result_by_category() -> None:
    records = [record("astronomy", True), record("sociology", False), record("philosophy", True)]
    found = result(DESCRIPTION, records)
    values = {row.name: row.values["accuracy"].value for row in found.rows if row.kind == "category"}
    assert values == {"STEM": 1.0, "humanities": 1.0, "social sciences": 0.0}
    low = found.row("over subjects").values["accuracy"].low
    assert low is not None
    assert low < 0.7
