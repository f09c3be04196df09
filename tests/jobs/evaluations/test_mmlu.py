"""`evaluate mmlu` on a folder in its layout."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.mmlu import Question, prompt
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options.evaluate_choice import MmluOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.tokens.sequence import Sequence, TextSpan

SUBJECTS = {"anatomy": 3, "world_religions": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MMLU with two subjects, with quotes and line breaks in cells."""
    root = tmp_path_factory.mktemp("mmlu") / "data"
    for subject, count in SUBJECTS.items():
        for split, rows in (("dev", 5), ("test", count)):
            path = root / split / f"{subject}_{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="") as file:
                csv.writer(file).writerows(
                    (f'{subject} {split} {row}: "which",\none?', "NA", "1.0", f"c{row}", "d", "ABCD"[row % 4])
                    for row in range(rows)
                )
    return root.parent


def options(folder: Path, release: Path, **values: Any) -> MmluOptions:
    return MmluOptions(path=folder, model=str(release), device="cpu", **values)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def test_run(folder: Path, small_release: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    summary = run(options(folder, small_release, output=items))
    assert summary.result
    assert (summary.inputs, summary.result.items) == (5, 5)
    found = records(items)
    assert [record["id"] for record in found] == [
        "anatomy/1", "anatomy/2", "anatomy/3", "world_religions/1", "world_religions/2"
    ]  # fmt: skip
    expected = sum(record["correct"] for record in found) / 5
    assert summary.result.row("over questions").values["accuracy"].value == expected
    assert {record["shots"] for record in found} == {5}
    assert summary.result.description.facts["split"] == "test"


def test_letters_are_scored_after_the_prompt(folder: Path, small_release: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    run(options(folder, small_release, output=items, shots=0, subjects=("world_religions",)))
    record = records(items)[1]
    question = Question(
        "world_religions", 2, "", 'world_religions test 1: "which",\none?', ("NA", "1.0", "c1", "d"), 1
    )
    lm = LanguageModel.load(str(small_release), device="cpu")
    text = Sequence.of([TextSpan(prompt(question, []))])
    for letter, value in record["log_likelihoods"].items():
        score = lm.score(Sequence.of([TextSpan(f" {letter}")]), text)
        assert value == pytest.approx(score.log_likelihood, abs=1e-4)
    assert record["answer"] == "B"


def test_one_question_alone_has_the_same_record(folder: Path, small_release: Path, tmp_path: Path) -> None:
    both = tmp_path / "all.jsonl", tmp_path / "one.jsonl"
    run(options(folder, small_release, output=both[0]))
    run(options(folder, small_release, output=both[1], limit=1))
    assert records(both[1]) == records(both[0])[:1]


def test_long_prompts_have_fewer_examples(folder: Path, small_release: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    run(options(folder, small_release, output=items, limit=1))
    length = records(items)[0]["prompt_tokens"]
    summary = run(options(folder, small_release, output=tmp_path / "short.jsonl", limit=1, context=length))
    assert summary.result
    assert summary.result.counts["shortened prompts"] == 1
    record = records(tmp_path / "short.jsonl")[0]
    assert record["shots"] < 5
    assert record["prompt_tokens"] < length
    with pytest.raises(ManifestError, match="the prompt has room for"):
        run(options(folder, small_release, limit=1, context=20))


def test_a_bad_row_is_skipped(folder: Path, small_release: Path, tmp_path: Path) -> None:
    path = tmp_path / "test" / "anatomy_test.csv"
    path.parent.mkdir()
    path.write_text("only,two\nq,a,b,c,d,A\n")
    summary = run(options(tmp_path, small_release, shots=0, on_error="skip"))
    assert (summary.inputs, summary.failed) == (2, 1)
    with pytest.raises(ManifestError, match="line 1: 2 columns"):
        run(options(tmp_path, small_release, shots=0))
