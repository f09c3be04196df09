import json
from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options import AsrOptions


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
        output=items,
    )
    evaluation = run(options)
    assert (evaluation.inputs, evaluation.failed) == (2, 1)
    assert evaluation.result
    assert (evaluation.result.task, evaluation.result.items, evaluation.result.skipped) == ("asr", 1, 1)
    description, item, bad = map(json.loads, items.read_text().splitlines())
    assert set(description["parts"]) == {"tokenizer", "language model"}
    assert (item["id"], item["tokens"]) == ("a", 2)
    assert bad["id"] == "b"
    assert "gone.wav: no such file" in bad["error"]


def test_run_stops_at_a_clip_that_cannot_be_used(release_tree: Path, manifest: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        run(AsrOptions(manifest=manifest, model=str(release_tree), device="cpu", max_new_tokens=2))


def test_run_limits_clips(release_tree: Path, manifest: Path) -> None:
    options = AsrOptions(manifest=manifest, model=str(release_tree), device="cpu", max_new_tokens=2, limit=1)
    summary = run(options)
    assert (summary.inputs, summary.failed) == (1, 0)
