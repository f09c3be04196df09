import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from judge_fixtures import write_ctc_recognizer

from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.similarity import LayerSimilarities
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.evaluations.similarity import SimilarityEvaluation
from spiritlm_cli.jobs.options import SimilarityOptions

RECORD = {"id": "a", **LayerSimilarities(2, (0.5, 0.7), (0.5, 0.4), 0).to_record()}


@pytest.fixture
def options(small_release: Path, tmp_path: Path, recording_file: Path) -> SimilarityOptions:
    """A clip with word times, and one that is not there."""
    words = json.dumps(
        [{"word": word, "start": n / 3, "end": (n + 1) / 3} for n, word in enumerate(("of", "cow", "skin"))]
    )
    row = f"a\t{recording_file}\t1\t2\tof cow skin\t{words}"
    table = tmp_path / "clips.tsv"
    table.write_text(f"id\taudio\tstart\tend\ttext\twords\n{row}\nb\tgone.wav\t\t\tx\t{words}\n")
    return SimilarityOptions(data=table, model=str(small_release), device="cpu", on_error="skip")


def items_file(path: Path, task: str) -> Path:
    path.write_text(RunDescription(task, "1.0").to_line() + "\n" + json.dumps(RECORD) + "\n")
    return path


def test_run_writes_plots(options: SimilarityOptions, tmp_path: Path) -> None:
    plots = tmp_path / "layers.svg", tmp_path / "matrix.png"
    other = items_file(tmp_path / "other.jsonl", "similarity")
    evaluation = run(replace(options, plot=plots[0], compare=(other,), matrix=plots[1], matrix_layer=1))
    assert (evaluation.inputs, evaluation.failed) == (2, 1)
    assert evaluation.result
    assert evaluation.result.counts["words"] == 3
    assert {row.kind for row in evaluation.result.rows} == {None, "layer"}
    assert "other" in plots[0].read_text()
    assert plots[1].read_bytes().startswith(b"\x89PNG")


def test_a_layer_that_is_not_there_is_refused_before_the_run(
    options: SimilarityOptions, tmp_path: Path
) -> None:
    items = tmp_path / "items.jsonl"
    beyond = replace(options, matrix=tmp_path / "a.png", matrix_layer=99, output=items)
    with pytest.raises(OptionError, match="there is no layer 99; the last is "):
        run(beyond)
    assert len(Path(f"{items}.part").read_text().splitlines()) <= 1


def test_the_source_of_word_times_is_described(options: SimilarityOptions, tmp_path: Path) -> None:
    def facts(**changes: Any) -> dict[str, Any]:
        return SimilarityEvaluation(replace(options, **changes)).facts()

    assert facts() == {"word times": "of the data, else by pocketsphinx"}
    assert facts(alignments=tmp_path / "grids") == {"word times of": "grids"}
    aligner = write_ctc_recognizer(tmp_path / "ctc")
    assert facts(aligner=str(aligner))["word times"].startswith("of the data, else by ctc (sha256 ")


def test_runs_to_compare_are_checked_before_the_run(options: SimilarityOptions, tmp_path: Path) -> None:
    other = items_file(tmp_path / "other.jsonl", "wuggy")
    with pytest.raises(ManifestError, match="a run of wuggy"):
        SimilarityEvaluation(replace(options, plot=tmp_path / "a.png", compare=(other,))).describe([])
    (tmp_path / "b").mkdir()
    same = (
        items_file(tmp_path / "one.jsonl", "similarity"),
        items_file(tmp_path / "b" / "one.jsonl", "similarity"),
    )
    with pytest.raises(OptionError, match=r"b.one\.jsonl: another run has the name one; rename the file"):
        SimilarityEvaluation(replace(options, plot=tmp_path / "a.png", compare=same)).describe([])
