import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from spiritlm_cli.errors import AudioError, ManifestError, OptionError
from spiritlm_cli.jobs.evaluate import run
from spiritlm_cli.jobs.evaluations.generation import AsrEvaluation, TtsEvaluation
from spiritlm_cli.jobs.options import AsrOptions, TtsOptions

UTTERANCES = {
    "test-clean/1/10": {"1-10-0000": (0.0, "AND A STRIP"), "1-10-0001": (1.0, "OF COW SKIN")},
    "test-other/2/20": {"2-20-0000": (2.0, "FOR A BELT")},
    "dev-clean/3/30": {
        "3-30-0000": (3.0, "TO HOLD"),
        "3-30-0001": (4.0, "IT IN"),
        "3-30-0002": (5.0, "WELL"),
    },
}


@pytest.fixture(scope="module")
def librispeech(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six utterances of half a second in the layout of LibriSpeech."""
    root = tmp_path_factory.mktemp("corpus") / "LibriSpeech"
    samples, rate = soundfile.read(recording_file, dtype="int16")
    for chapter, utterances in UTTERANCES.items():
        folder = root / chapter
        folder.mkdir(parents=True)
        for name, (start, _) in utterances.items():
            first = int(start * rate)
            soundfile.write(folder / f"{name}.flac", samples[first : first + rate // 2], rate)
        lines = (f"{name} {text}\n" for name, (_, text) in utterances.items())
        (folder / f"{'-'.join(chapter.split('/')[1:])}.trans.txt").write_text("".join(lines))
    return root


@pytest.fixture
def base(small_release: Path) -> dict[str, Any]:
    return {"model": str(small_release), "device": "cpu", "max_new_tokens": 3, "normalizer": "spoken"}


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_asr_of_librispeech_by_examples(librispeech: Path, base: dict[str, Any], tmp_path: Path) -> None:
    options = AsrOptions(
        data=librispeech, examples=librispeech / "dev-clean", shots=2, output=tmp_path / "items.jsonl", **base
    )
    # its only speaker has no examples of another one
    with pytest.raises(Exception, match="0 examples besides the line itself"):
        run(replace(options, data=librispeech / "dev-clean", output=None))
    options = replace(options, data=librispeech / "test-clean")
    result = run(replace(options, output=tmp_path / "all.jsonl")).result
    assert result
    assert [row.label for row in result.rows] == ["test-clean speech to text"]
    assert result.notes == ("Examples in a prompt: 2.0 on average, at most 2: 3-30-0000, 3-30-0001.",)
    description, *records = lines_of(tmp_path / "all.jsonl")
    assert description["facts"]["shots"] == 2
    assert description["facts"]["context"] == "1024, or the model's if that is less"
    assert description["facts"]["examples of"] == "dev-clean, the first ones"
    assert [record["examples"] for record in records] == [["3-30-0000", "3-30-0001"]] * 2
    # neither the batch nor the shard changes a record
    for index in (0, 1):
        part = tmp_path / f"{index}.jsonl"
        run(replace(options, output=part, shard=(index, 2), batch_size=1))
        assert lines_of(part)[1:] == records[index : index + 1]


def test_asr_of_all_sets(librispeech: Path, base: dict[str, Any]) -> None:
    result = run(AsrOptions(data=librispeech, **base)).result
    assert result
    assert [(row.set, row.items) for row in result.rows] == [
        ("dev-clean", 3),
        ("test-clean", 2),
        ("test-other", 1),
    ]
    assert [len(row.published) for row in result.rows] == [8, 4, 4]
    assert result.notes[0].startswith("Zero-shot")
    assert result.description.facts["prompts"] == "the item alone"


def test_asr_of_transcripts(librispeech: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = tmp_path / "texts.tsv"
    texts.write_text("id\ttext\n1-10-0000\tand the strip\n9\tx\n")
    options = AsrOptions(
        data=librispeech / "test-clean", hypotheses=texts, normalizer="spoken", on_error="skip",
        output=tmp_path / "items.jsonl",
    )  # fmt: skip
    summary = run(options)
    assert summary.failed == 1
    assert summary.result
    assert summary.result.rows[0].values["wer"].value == pytest.approx(1 / 3)
    assert summary.result.description.model is None
    assert lines_of(tmp_path / "items.jsonl")[2]["error"] == f"{texts}: has no output for '1-10-0001'"
    assert f"{texts}: 1 ids are of no item, and not used: '9'" in caplog.messages
    with pytest.raises(ManifestError, match="has no output for '1-10-0001'"):
        run(replace(options, on_error="fail", output=None))
    # the items file has texts by id, too
    again = run(replace(options, hypotheses=tmp_path / "items.jsonl", output=None))
    assert again.result
    assert again.result.rows == summary.result.rows


def test_asr_of_an_invalid_example(librispeech: Path, base: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no audio")
    (tmp_path / "a.txt").write_text("words")
    options = AsrOptions(data=librispeech / "test-other", examples=tmp_path, **base)
    with pytest.raises(Exception, match=r"the example 'a': .*a\.wav"):
        run(options)


def test_asr_skips_clips_that_cannot_be_used(
    recording_file: Path, base: dict[str, Any], tmp_path: Path
) -> None:
    manifest = tmp_path / "clips.tsv"
    rows = (f"a\t{recording_file}\t1\t2\tof cow skin", "b\tgone.wav\t\t\tnothing")
    manifest.write_text("\n".join(("id\taudio\tstart\tend\ttext", *rows)) + "\n")
    options = AsrOptions(manifest=manifest, on_error="skip", output=tmp_path / "items.jsonl", **base)
    summary = run(options)
    assert (summary.inputs, summary.failed) == (2, 1)
    assert summary.result
    assert (summary.result.task, summary.result.items, summary.result.skipped) == ("asr", 1, 1)
    description, item, bad = lines_of(tmp_path / "items.jsonl")
    assert set(description["parts"]) == {"tokenizer", "language model"}
    assert (item["id"], item["tokens"]) == ("a", 3)
    assert "gone.wav: no such file" in bad["error"]
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        run(replace(options, on_error="fail", output=None))


def test_speech_is_not_saved_over_recordings(librispeech: Path, tmp_path: Path) -> None:
    options = TtsOptions(data=librispeech, save_audio=librispeech / "test-other" / "2" / "20")
    with pytest.raises(OptionError, match="has the recording"):
        TtsEvaluation(options).items()
    assert len(TtsEvaluation(replace(options, save_audio=tmp_path)).items()) == 6


def test_parts_and_facts(librispeech: Path, tmp_path: Path) -> None:
    asr = AsrOptions(data=librispeech, form="asr")
    assert AsrEvaluation(asr).facts()["prompts"] == "asr"
    assert AsrEvaluation(replace(asr, hypotheses=tmp_path)).parts == ()
    tts = TtsOptions(data=librispeech)
    assert TtsEvaluation(tts).parts == ("language model", "vocoder")
    # the sounds of the form and the examples are tokenized
    assert TtsEvaluation(replace(tts, form="tts")).parts == ("tokenizer", "language model", "vocoder")
