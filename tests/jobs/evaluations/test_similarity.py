import json
from dataclasses import replace
from pathlib import Path

import pytest

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


def test_finish_names_what_cannot_be_plotted(options: SimilarityOptions, tmp_path: Path) -> None:
    beyond = replace(options, matrix=tmp_path / "a.png", matrix_layer=2)
    with pytest.raises(OptionError, match="there is no layer 2; the last is 1"):
        SimilarityEvaluation(beyond).finish([RECORD])
    other = items_file(tmp_path / "other.jsonl", "wuggy")
    with pytest.raises(ManifestError, match="a run of wuggy"):
        SimilarityEvaluation(replace(options, plot=tmp_path / "a.png", compare=(other,))).finish([RECORD])
