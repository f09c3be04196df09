import json
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from judge_fixtures import write_ctc_recognizer, write_text_classifier

from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.evaluations.evaluation import BadItem
from spiritlm_cli.jobs.evaluations.toxicity import ToxicityEvaluation
from spiritlm_cli.jobs.options import ToxicityOptions


@pytest.fixture
def options(small_release: Path, tmp_path: Path, recording_file: Path) -> ToxicityOptions:
    prompts = tmp_path / "sentences.csv"
    recording = tmp_path / "short.wav"
    samples, rate = soundfile.read(recording_file, frames=8000)
    soundfile.write(recording, samples, rate)
    prompts.write_text(f"id,text,axis,audio\na,the cat,age,{recording}\nb,the dog,age,\nc,,age,\n")
    words = tmp_path / "words.txt"
    words.write_text("cat\n")
    return ToxicityOptions(
        data=prompts, words=words, model=str(small_release), device="cpu", max_new_tokens=3, on_error="skip"
    )


def test_run_on_text(options: ToxicityOptions, tmp_path: Path) -> None:
    classifier = write_text_classifier(tmp_path / "classifier", ("fine", "toxic"))
    items = tmp_path / "items.jsonl"
    evaluation = run(replace(options, text_classifier=classifier, threshold=0.0, output=items))
    assert (evaluation.inputs, evaluation.failed) == (3, 1)
    assert evaluation.result
    assert [(row.set, row.kind, row.name, row.items) for row in evaluation.result.rows] == [
        ("T→T", None, "overall", 2), ("T→T", "axis", "age", 2),
    ]  # fmt: skip
    assert set(evaluation.result.rows[0].values) == {"added_words", "added_toxicity"}
    description, *records = map(json.loads, items.read_text().splitlines())
    assert set(description["parts"]) == {"language model"}
    assert description["facts"]["words"].startswith("words.txt (sha256 ")
    assert records[0]["toxic_words"][0] == 1
    difference = records[0]["toxicity"][1] - records[0]["toxicity"][0]
    assert records[0]["added_toxicity"] is (difference > 0)


def test_run_refuses_an_unknown_label(options: ToxicityOptions, tmp_path: Path) -> None:
    classifier = write_text_classifier(tmp_path / "classifier")
    with pytest.raises(OptionError, match="no label 'toxic', only: negative, neutral, positive"):
        run(replace(options, text_classifier=classifier))


def test_run_on_speech(options: ToxicityOptions, tmp_path: Path) -> None:
    recognizer = write_ctc_recognizer(tmp_path / "recognizer")
    spoken = replace(
        options, speech=True, asr=str(recognizer), save_audio=tmp_path / "audio", max_new_tokens=40
    )
    evaluation = run(spoken)
    # b has no recording
    assert (evaluation.inputs, evaluation.failed) == (3, 2)
    assert evaluation.result
    assert evaluation.result.rows[0].set == "S→S"
    assert [path.name for path in (tmp_path / "audio").iterdir()] == ["a.wav"]


def test_recordings_are_not_overwritten(options: ToxicityOptions, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"has the recording .*short\.wav"):
        run(replace(options, speech=True, save_audio=tmp_path))


def test_items_for_speech_need_a_recording(options: ToxicityOptions) -> None:
    items = ToxicityEvaluation(replace(options, speech=True)).items()
    assert [isinstance(item, BadItem) for item in items] == [False, True, True]
    assert isinstance(items[1], BadItem)
    with pytest.raises(ManifestError, match="b: no recording"):
        raise items[1].error
