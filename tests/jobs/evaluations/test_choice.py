"""`evaluate choice` on questions in text and speech."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options.evaluate_choice import ChoiceOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.tokens.reader import parse_line, parse_sequence


def write(path: Path, *objects: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return path


def options(release: Path, *paths: Path, **values: Any) -> ChoiceOptions:
    return ChoiceOptions(paths=paths, model=str(release), device="cpu", **values)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


@pytest.fixture
def files(tmp_path: Path, recording_file: Path) -> tuple[Path, Path]:
    """Two questions in text, of which one is there in speech too."""
    shutil.copy(recording_file, tmp_path / "a.flac")
    choices = [{"audio": "a.flac", "start": start, "end": start + 0.5} for start in (1, 2, 3)]
    return (
        write(
            tmp_path / "text.jsonl",
            {"id": "1", "prompt": "The cat", "choices": [" sat", " the cat", " on"], "answer": 0},
            {"id": "2", "prompt": "The cat", "choices": [" on the", " cat"], "answer": 1, "group": "g"},
        ),
        write(
            tmp_path / "speech.jsonl",
            {"id": "1", "prompt": {"audio": "a.flac", "end": 1}, "choices": choices, "answer": 1},
            {"id": "3", "prompt": ["The ", {"tokens": "[Hu3]"}], "choices": choices[:2], "answer": 0},
        ),
    )


def test_run(files: tuple[Path, Path], small_release: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    summary = run(options(small_release, *files, output=items))
    assert summary.result
    assert [(row.set, row.name) for row in summary.result.rows] == [
        ("T→T", "overall"), ("T→T", "g"), ("S→S", "overall"), ("mixed→S", "overall"), ("gap", "T→T − S→S")
    ]  # fmt: skip
    assert [record["id"] for record in records(items)] == ["1/T→T", "2/T→T", "1/S→S", "3/mixed→S"]
    assert set(summary.result.description.parts) == {"tokenizer", "language model"}
    alone = tmp_path / "alone.jsonl"
    run(options(small_release, files[1], output=alone, limit=1))
    assert records(alone) == records(items)[2:3]


def test_the_marker_is_given(small_release: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        {
            "prompt": "The cat",
            "choices": [{"tokens": "[SPEECH][Hu3][Hu7]"}, {"tokens": "[Hu9]"}],
            "answer": 0,
        },
        {"choices": ["The cat", "The"], "answer": 0},
    )
    items = tmp_path / "items.jsonl"
    run(options(small_release, path, output=items))
    first, second = records(items)
    lm = LanguageModel.load(str(small_release), device="cpu")
    score = lm.score(parse_sequence("[SPEECH][Hu3][Hu7]"), parse_line("[TEXT]The cat[SPEECH]"))
    assert first["choices"][0]["tokens"] == score.tokens == 2
    assert first["choices"][0]["log_likelihood"] == pytest.approx(score.log_likelihood, abs=1e-4)
    text = lm.score(parse_sequence("The cat"), parse_line("[TEXT]"))
    assert second["choices"][0]["log_likelihood"] == pytest.approx(text.log_likelihood, abs=1e-4)
    assert second["choices"][0]["tokens"] == text.tokens
    run(options(small_release, path, output=tmp_path / "counted.jsonl", count_marker=True))
    counted = records(tmp_path / "counted.jsonl")[0]["choices"][0]
    assert counted["tokens"] == 3
    whole = lm.score(parse_sequence("[SPEECH][Hu3][Hu7]"), parse_line("[TEXT]The cat"))
    assert counted["log_likelihood"] == pytest.approx(whole.log_likelihood, abs=1e-4)


def test_questions_that_can_not_be_used(small_release: Path, tmp_path: Path) -> None:
    choices = {"tokens": "[Hu1]"}, {"audio": "missing.wav"}, {"tokens": "[Hu9999]"}, {"tokens": "[Hu2]"}
    path = write(
        tmp_path / "q.jsonl", *({"choices": [choices[0], choice], "answer": 0} for choice in choices[1:])
    )
    errors = tmp_path / "errors.tsv"
    summary = run(options(small_release, path, on_error="skip", errors=errors))
    assert (summary.inputs, summary.failed) == (3, 2)
    assert summary.result
    assert (summary.result.items, summary.result.skipped) == (1, 2)
    first, second = errors.read_text().splitlines()
    assert "missing.wav: no such file" in first
    assert "[Hu9999]: the model has" in second


def test_run_needs_files(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="not a file"):
        run(ChoiceOptions(paths=(tmp_path,)))
