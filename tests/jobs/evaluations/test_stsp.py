import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from judge_fixtures import write_speech_classifier, write_text_classifier
from stsp_fixtures import FIRST_ID, write_lines, write_released_example, write_stsp

from spiritlm_cli.console import log
from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options import StspOptions


@pytest.fixture(scope="module")
def options(
    small_release: Path, tmp_path_factory: pytest.TempPathFactory, recording_file: Path
) -> StspOptions:
    folder = tmp_path_factory.mktemp("stsp")
    return StspOptions(
        path=write_stsp(folder / "release", recording_file),
        text_classifier=write_text_classifier(folder / "sentiment"),
        speech_classifier=write_speech_classifier(folder / "emotion"),
        model=str(small_release),
        device="cpu",
        max_new_tokens=3,
        runs=1,
    )


def accuracy(options: StspOptions) -> float:
    result = run(options).result
    assert result
    return result.rows[0].values["accuracy"].value


def test_run_in_all_directions(options: StspOptions, tmp_path: Path) -> None:
    found = replace(
        options, predictions=tmp_path / "pred", save_audio=tmp_path / "wav", output=tmp_path / "i"
    )
    result = run(found).result
    assert result
    assert (result.items, result.skipped) == (18, 0)
    assert [row.name for row in result.rows if not row.kind] == ["T→T", "T→S", "S→T", "S→S", "mean"]
    facts = result.description.facts
    assert facts["sets"] == "expresso_asr, emov, expresso_read"
    assert facts["text classifier"].startswith("sentiment (sha256 ")
    assert facts["max new tokens"] == "t2t 3, t2s 3, s2t 3, s2s 3"
    # equal runs of the files that were written
    references = sorted((tmp_path / "pred").glob("*.ref.jsonl"))
    assert len(references) == 6
    assert json.loads(references[0].read_text().splitlines()[0])["id"] == FIRST_ID + 1
    name = "s2t.emov.0"
    scored = StspOptions(
        path=tmp_path / "pred" / f"{name}.ref.jsonl", score_only=tmp_path / "pred" / f"{name}.pred.jsonl"
    )
    assert accuracy(scored) == result.row("S→T emov", "set").values["accuracy"].value
    for line in (tmp_path / "i").read_text().splitlines()[1:]:
        record = json.loads(line)
        if record["audio"]:
            assert (tmp_path / "wav" / record["audio"]).is_file()


def test_the_first_items_are_of_all_kinds(options: StspOptions, tmp_path: Path) -> None:
    result = run(replace(options, limit=6)).result
    assert result
    assert [row.items for row in result.rows if not row.kind] == [1, 1, 2, 2, 6]


def test_run_with_examples(options: StspOptions) -> None:
    found = replace(options, shots=3, directions=("TT",), seed=5)
    result = run(found).result
    assert result
    assert result.description.facts["examples"].startswith("3 (t2t run 0: lines ")
    assert result.description.facts["faults of the release"] == "not imitated"
    assert [one.what for one in result.row("T→T").published] == ["Expressive, 3-shot"]


def test_a_classifier_of_other_labels(options: StspOptions, tmp_path: Path) -> None:
    toxic = write_text_classifier(tmp_path / "toxic", ("toxic", "fine"))
    with pytest.raises(
        CheckpointError, match="toxic: its labels are 'toxic', 'fine', and none is a sentiment"
    ):
        run(replace(options, text_classifier=toxic))


def test_a_manifest_of_ones_own(options: StspOptions, tmp_path: Path) -> None:
    lines = [{"id": "a b", "sentiment": "neutral", "asr": "some text"}, {"id": 2, "asr": "no sentiment"}]
    path = write_lines(tmp_path / "made.jsonl", lines)
    own = replace(options, path=path, directions=("TT",))
    with pytest.raises(ManifestError, match=r"made\.jsonl: line 2: has no sentiment or emotion"):
        run(own)
    write_lines(tmp_path / "other.jsonl", [lines[0] | {"sentiment": "Joy"}])
    message = r"other\.jsonl: line 1: sentiment is 'Joy', expected negative, neutral, positive"
    with pytest.raises(ManifestError, match=message):
        run(replace(own, path=tmp_path / "other.jsonl"))
    result = run(replace(own, on_error="skip")).result
    assert result
    assert (result.items, result.skipped, result.rows[0].name) == (1, 1, "T→T")


@pytest.mark.parametrize(("label", "expected"), [("sentiment", 0.4), ("emotion", 1.0)])
def test_score_only_of_the_released_example(tmp_path: Path, label: Any, expected: float) -> None:
    references, predictions = write_released_example(tmp_path)
    options = StspOptions(path=references, score_only=predictions, label=label)
    assert accuracy(options) == expected
    result = run(options).result
    assert result
    assert result.metrics[0].text(result.rows[0].values["accuracy"]).startswith(f"{100 * expected:.2f}")


def test_score_only_says_what_ids_are_unknown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    references, predictions = write_released_example(tmp_path)
    lines = [json.loads(line) for line in predictions.read_text().splitlines()]
    write_lines(predictions, [*lines[:4], lines[4] | {"id": 7}])
    options = StspOptions(path=references, score_only=predictions, label="emotion")
    log.propagate = True
    with caplog.at_level(logging.WARNING, log.name):
        assert accuracy(options) == 0.8
    assert "pred.jsonl: 1 ids are not in" in caplog.text
    # the released script does not count it
    assert accuracy(replace(options, as_released=True)) == 1.0
    write_lines(predictions, lines[:4])
    with pytest.raises(ManifestError, match="has 4 predictions, and the references are 5"):
        run(options)


def test_plot(options: StspOptions, tmp_path: Path) -> None:
    path = tmp_path / "stsp.png"
    run(replace(options, directions=("TT",), plot=path))
    assert path.read_bytes().startswith(b"\x89PNG")
