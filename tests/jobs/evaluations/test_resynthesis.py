import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
from judge_fixtures import write_ctc_recognizer, write_speech_classifier

from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.evaluation.records import read_items
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.options import ResynthesisOptions


@pytest.fixture
def librispeech(tmp_path: Path, recording_file: Path) -> Path:
    """A folder in LibriSpeech's layout with two seconds of one reader."""
    samples, rate = soundfile.read(recording_file)
    chapter = tmp_path / "dev-other" / "7143" / "88743"
    chapter.mkdir(parents=True)
    for number in range(2):
        name = f"7143-88743-000{number}"
        soundfile.write(chapter / f"{name}.flac", samples[number * rate : (number + 1) * rate], rate)
    lines = ("7143-88743-0000 A STRIP OF COW", "7143-88743-0001 SKIN FOR A BELT")
    (chapter / "7143-88743.trans.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "dev-other"


@pytest.fixture
def options(small_release: Path, librispeech: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "data": librispeech,
        "model": str(small_release),
        "device": "cpu",
        "normalizer": "spoken",
        "asr": str(write_ctc_recognizer(tmp_path / "asr")),
    }


def test_librispeech_with_judges(options: dict[str, Any], tmp_path: Path) -> None:
    judge = write_speech_classifier(tmp_path / "styles")
    output, saved = tmp_path / "items.jsonl", tmp_path / "saved"
    summary = run(ResynthesisOptions(**options, speech_classifier=judge, output=output, save_audio=saved))
    assert summary.result
    assert [row.name for row in summary.result.rows] == ["original", "resynthesis"]
    values = summary.result.row("resynthesis", set="dev-other").values
    assert {"wer", "cer", "ffe", "style_agreement", "bitrate", "entropy_bitrate"} <= set(values)
    assert [one.what for one in summary.result.row("original", set="dev-other").published] == [
        "originals, LibriSpeech dev-other"
    ]
    description, records = read_items(output)
    assert set(description.parts) == {"tokenizer", "vocoder"}
    assert description.facts["F0"] == "fcpe"
    assert description.facts["recognizer"].startswith("asr (sha256 ")
    assert sorted(path.name for path in saved.iterdir()) == ["7143-88743-0000.wav", "7143-88743-0001.wav"]
    assert records[0]["resynthesis_seconds"] == soundfile.info(saved / "7143-88743-0000.wav").duration


def test_hypotheses_are_measured_without_a_model(
    options: dict[str, Any], librispeech: Path, tmp_path: Path
) -> None:
    hypotheses = tmp_path / "other"
    hypotheses.mkdir()
    for path in librispeech.rglob("*.flac"):
        soundfile.write(hypotheses / f"{path.stem}.wav", *soundfile.read(path))
    settings = options | {"asr": "none", "model": "no such model", "hypotheses": hypotheses}
    result = run(ResynthesisOptions(**settings)).result
    assert result
    (row,) = result.rows
    assert (row.values["ffe"].value, row.values["f0_correlation"].value) == (0, pytest.approx(1, abs=1e-3))
    assert (result.description.model, result.description.facts["resynthesis of"]) == (None, "other")
    (hypotheses / "7143-88743-0001.wav").unlink()
    with pytest.raises(ManifestError, match="no file of the name '7143-88743-0001'"):
        run(ResynthesisOptions(**settings))


def test_clips_without_text_are_measured_without_error_rates(
    options: dict[str, Any], librispeech: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "clips.tsv"
    audio = next(librispeech.rglob("*.flac"))
    manifest.write_text(f"id\taudio\ttext\na\t{audio}\t\nb\t{audio}\tSKIN\n")
    settings = options | {"data": None, "manifest": manifest}
    result = run(ResynthesisOptions(**settings | {"f0": "none"})).result
    assert result
    values = result.row("resynthesis", set="dev-other").values
    assert (values["wer"].count, values["bitrate"].count) == (1, 2)
    assert result.notes[0] == "WER and CER leave out 1 of 2 clips, whose text is empty or missing."
    result = run(ResynthesisOptions(**settings | {"asr": "none", "f0": "none"})).result
    assert result
    assert set(result.row("resynthesis", set="dev-other").values) == {
        "bitrate",
        "entropy_bitrate",
        "merged_bitrate",
    }


def test_one_clip_alone_has_the_same_record(options: dict[str, Any], tmp_path: Path) -> None:
    outputs = [tmp_path / "all.jsonl", tmp_path / "second.jsonl"]
    run(ResynthesisOptions(**options, output=outputs[0]))
    run(ResynthesisOptions(**options, output=outputs[1], shard=(1, 2)))
    both, second = (list(map(json.loads, path.read_text().splitlines()[1:])) for path in outputs)
    assert second == both[1:]


def test_recordings_are_not_overwritten(options: dict[str, Any], librispeech: Path) -> None:
    folder = librispeech / "7143" / "88743"
    with pytest.raises(OptionError, match=r"has the recording .*7143-88743-0000\.flac"):
        run(ResynthesisOptions(**options, save_audio=folder))
