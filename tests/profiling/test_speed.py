"""What is measured and how it is said; never how fast anything is."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError, CheckpointError
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.profiling import speed
from spiritlm_cli.profiling.speed import cut_clips, measure_speed, read_sound
from spiritlm_cli.profiling.stages import tokenizer_stages
from spiritlm_cli.speech.tokenizer import SpeechTokenizer

STAGES = ["hubert", "f0", "pitch", "style", "tokenize", "decode", "generate"]


@pytest.fixture(autouse=True)
def _one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "RUNS", 1)
    monkeypatch.setattr(speed, "TRIES", 1)
    monkeypatch.setattr(speed, "TOKENS", 3)


def test_every_stage_has_its_row(release_tree: Path) -> None:
    told: list[str] = []
    report = measure_speed(str(release_tree), device="cpu", seconds=3, tell=told.append)
    assert [row.stage for row in report.stages] == STAGES
    assert [row.unit for row in report.stages] == ["seconds of sound"] * 6 + ["tokens"]
    for row in report.stages:
        assert row.per_second > 0
        assert row.memory > 0
        assert row.dtype == "float32"
        assert row.share is None if row.stage == "generate" else row.share > 0
    assert told == [report.setting, *(f"{stage} …" for stage in STAGES)]
    parsed = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert (parsed["model"], parsed["device"], parsed["clips"]) == (release_tree.name, "cpu", 1)
    assert parsed["stages"][0]["per_second"] == report.stages[0].per_second


def test_table_says_what_the_numbers_are(release_tree: Path) -> None:
    report = measure_speed(str(release_tree), device="cpu", seconds=1)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(report.table())
    lines = capture.get().splitlines()
    assert "on cpu" in lines[0]
    rows = {stage: next(line for line in lines if stage in line) for stage in STAGES}
    assert "× real time" in rows["hubert"]
    assert "%" in rows["hubert"]
    assert "tokens/s" in rows["generate"]
    assert "%" not in rows["generate"]
    assert all("MB" in row for row in rows.values())


def test_in_bfloat16_there_is_a_share_where_all_is_in_it(release_tree: Path) -> None:
    report = measure_speed(str(release_tree), device="cpu", dtype="bfloat16", seconds=1)
    rows = {row.stage: row for row in report.stages}
    assert [name for name, row in rows.items() if row.share is not None] == ["hubert", "style", "decode"]
    assert [name for name, row in rows.items() if row.dtype == "float32"] == ["f0", "pitch"]


def test_base_units_have_no_prosody(release_tree: Path) -> None:
    report = measure_speed(str(release_tree), expressive=False, device="cpu", seconds=1)
    assert [row.stage for row in report.stages] == ["hubert", "tokenize", "decode", "generate"]


@pytest.mark.parametrize(
    ("part", "stages", "left_out"),
    [
        ("speech_tokenizer", STAGES[:-1], ["generate"]),
        ("spiritlm_model", ["generate"], ["tokenize", "decode"]),
        ("speech_tokenizer/hifigan_spiritlm_expressive_w2v2", None, ["tokenize", "decode", "generate"]),
    ],
)
def test_what_a_checkpoint_lacks_is_left_out(release_tree, tmp_path, part, stages, left_out) -> None:
    told: list[str] = []
    (tmp_path / part).parent.mkdir(exist_ok=True)
    (tmp_path / part).symlink_to(release_tree / part)
    arguments = {"device": "cpu", "seconds": 1, "tell": told.append}
    if stages is None:
        with pytest.raises(CheckpointError, match="no part whose speed could be measured"):
            measure_speed(str(tmp_path), **arguments)
    else:
        assert [row.stage for row in measure_speed(str(tmp_path), **arguments).stages] == stages
    assert [message.split()[0] for message in told if "is left out: " in message] == left_out


def test_no_checkpoint_and_no_sound_are_errors(release_tree: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        measure_speed("/no/such/folder")
    with pytest.raises(AudioError, match="no such file"):
        measure_speed(str(release_tree), audio="no.wav")


def test_stages_are_those_of_the_tokenizer(release_tree: Path) -> None:
    tokenizer = SpeechTokenizer.load(str(release_tree), device="cpu")
    clips = np.split(read_sound(speed.RECORDING, 9), [30_000, 100_000])
    stages = tokenizer_stages(tokenizer, batch_seconds=5)
    found = {name: stages[name](clips) for name in ("hubert", "f0", "style")}
    found["pitch"] = stages["pitch"](found["f0"])
    for place, units in enumerate(tokenizer.encode_batch([Waveform(clip, 16000) for clip in clips])):
        for name in ("hubert", "pitch", "style"):
            assert found[name][place].tolist() == getattr(units, name).tolist()


def test_a_short_sound_comes_round_again(recording_file: Path) -> None:
    once = read_audio(recording_file).samples
    sound = read_sound(recording_file, 20)
    assert len(sound) == 20 * 16000
    assert np.array_equal(sound[: len(once)], once)
    assert np.array_equal(sound[len(once) :][: len(once)], once)
    assert np.array_equal(read_sound(recording_file, 1), once[:16000])


@given(samples=st.integers(16_000, 3_200_000))
def test_clips_are_all_of_the_sound_and_of_lengths_of_speech(samples: int) -> None:
    sound = np.arange(samples, dtype=np.float32)
    clips = cut_clips(sound)
    assert np.array_equal(np.concatenate(clips), sound)
    assert all(min(32_000, samples) <= len(clip) <= 352_000 for clip in clips)
