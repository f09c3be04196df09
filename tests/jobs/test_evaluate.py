import json
from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError
from spiritlm_cli.evaluation.report import Report
from spiritlm_cli.jobs.evaluate import AsrOptions, run


@pytest.fixture
def manifest(tmp_path: Path, recording_file: Path) -> Path:
    """One second of speech, and a file that does not exist."""
    path = tmp_path / "clips.tsv"
    rows = (f"a\t{recording_file}\t1\t2\tof cow skin", "b\tgone.wav\t\t\tnothing")
    path.write_text("\n".join(("id\taudio\tstart\tend\ttext", *rows)) + "\n")
    return path


def test_run_skips_clips_that_cannot_be_used(release_tree: Path, manifest: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    options = AsrOptions(
        manifest=manifest,
        model=str(release_tree),
        device="cpu",
        max_new_tokens=2,
        on_error="skip",
        items=items,
    )
    evaluation = run(options)
    assert (evaluation.inputs, evaluation.failed) == (2, 1)
    assert isinstance(evaluation.report, Report)
    assert (evaluation.report.task, evaluation.report.items) == ("asr", 1)
    (item,) = map(json.loads, items.read_text().splitlines())
    assert (item["id"], item["tokens"]) == ("a", 2)


def test_run_stops_at_a_clip_that_cannot_be_used(release_tree: Path, manifest: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        run(AsrOptions(manifest=manifest, model=str(release_tree), device="cpu", max_new_tokens=2))


def test_run_limits_clips(release_tree: Path, manifest: Path) -> None:
    options = AsrOptions(manifest=manifest, model=str(release_tree), device="cpu", max_new_tokens=2, limit=1)
    assert (run(options).inputs, run(options).failed) == (1, 0)
