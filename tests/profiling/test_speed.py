"""What is measured and reported; never how fast anything is."""

import json
from functools import partial
from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError, CheckpointError
from spiritlm_cli.profiling import speed
from spiritlm_cli.profiling.speed import Effort

STAGES = ["hubert", "f0", "pitch", "style", "tokenize", "decode", "generate"]

measure_speed = partial(speed.measure_speed, device="cpu", effort=Effort(runs=1, tokens=3, peak=1e11))


def test_measure_speed_has_a_row_for_each_stage(small_release: Path) -> None:
    messages: list[str] = []
    report = measure_speed(str(small_release), seconds=1, notify=messages.append)
    assert [row.stage for row in report.stages] == STAGES
    assert [row.unit for row in report.stages] == ["seconds of sound"] * 6 + ["tokens"]
    for row in report.stages:
        assert row.per_second > 0
        assert row.memory > 0
        assert row.dtype == "float32"
        assert row.share is None if row.stage == "generate" else row.share > 0
    assert messages == [report.setting, *(f"{stage} …" for stage in STAGES)]
    parsed = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert (parsed["model"], parsed["device"], parsed["clips"]) == (small_release.name, "cpu", 1)
    assert parsed["stages"][0]["per_second"] == report.stages[0].per_second


def test_share_only_if_all_operations_have_the_dtype(small_release: Path) -> None:
    report = measure_speed(str(small_release), dtype="bfloat16", seconds=1)
    rows = {row.stage: row for row in report.stages}
    assert [name for name, row in rows.items() if row.share is not None] == ["hubert", "style", "decode"]
    assert [name for name, row in rows.items() if row.dtype == "float32"] == ["f0", "pitch"]


def test_measure_speed_of_base_units(small_release: Path) -> None:
    report = measure_speed(str(small_release), expressive=False, seconds=1)
    assert [row.stage for row in report.stages] == ["hubert", "tokenize", "decode", "generate"]


@pytest.mark.parametrize(
    ("part", "stages", "left_out"),
    [
        ("speech_tokenizer", STAGES[:-1], ["generate"]),
        ("spiritlm_model", ["generate"], ["tokenize", "decode"]),
        ("speech_tokenizer/hifigan_spiritlm_expressive_w2v2", None, ["tokenize", "decode", "generate"]),
    ],
)
def test_missing_parts_are_left_out(small_release, tmp_path, part, stages, left_out) -> None:
    messages: list[str] = []
    (tmp_path / part).parent.mkdir(exist_ok=True)
    (tmp_path / part).symlink_to(small_release / part)
    arguments = {"seconds": 1, "notify": messages.append}
    if stages is None:
        with pytest.raises(CheckpointError, match="no part whose speed could be measured"):
            measure_speed(str(tmp_path), **arguments)
    else:
        assert [row.stage for row in measure_speed(str(tmp_path), **arguments).stages] == stages
    assert [message.split()[0] for message in messages if "is left out: " in message] == left_out


def test_missing_checkpoint_and_audio_are_errors(small_release: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        measure_speed("/no/such/folder")
    with pytest.raises(AudioError, match="no such file"):
        measure_speed(str(small_release), audio="no.wav")


def test_measured_peak(small_release: Path, tmp_path: Path) -> None:
    (tmp_path / "spiritlm_model").symlink_to(small_release / "spiritlm_model")
    effort = Effort(runs=1, tokens=1, matrix_runs=1)
    assert measure_speed(str(tmp_path), seconds=1, effort=effort).peak > 0
