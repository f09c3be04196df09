from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest

from spiritlm_cli.audio.reading import clip_seconds, read_clip
from spiritlm_cli.errors import AudioError, ManifestError
from spiritlm_cli.evaluation.asr import SAMPLING, SpeechToText, result, score_texts
from spiritlm_cli.evaluation.prompting import Prompter
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.language.few_shot import Example, FewShot
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.sequence import Line, Sequence, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams

SAID = "a strip of cow skin for a belt to hold it in"


@pytest.fixture(scope="module")
def transcriber(small_release: Path) -> SpeechToText:
    return SpeechToText.load(str(small_release), device="cpu", normalizer="spoken")


@pytest.fixture
def clips(recording_file: Path) -> list[Clip]:
    return [
        Clip("a", recording_file, start=0.0, end=3.0, text=SAID, speaker="one"),
        Clip("b", recording_file, start=3.0, end=4.0, text="well", speaker="two"),
        Clip("c", recording_file, start=1.0, end=3.0, text="of cow skin"),
    ]


def records(transcriber: SpeechToText, clips: list[Clip]) -> list[Record]:
    return [outcome.result() for _, outcome in transcriber.measure(clips)]


def test_speech_to_text_does_not_depend_on_the_batch(transcriber: SpeechToText, clips: list[Clip]) -> None:
    found = records(transcriber, clips)
    assert found == records(replace(transcriber, batch_size=1), clips)
    assert found[1:2] == records(transcriber, clips[1:2])
    assert found[0]["seconds"] == 3.0
    assert found[0]["words"]["length"] == len(SAID.split())
    # 6 tokens a second and 20; random weights do not end
    assert [record["tokens"] for record in found if not record["finished"]] == [
        ceil(6 * clip_seconds(clip)) + 20
        for clip, record in zip(clips, found, strict=True)
        if not record["finished"]
    ]
    row = result(RunDescription("asr", "0"), found).row("speech to text")
    assert row.items == 3
    assert len(row.published) == 8


def test_speech_to_text_by_examples(transcriber: SpeechToText, clips: list[Clip]) -> None:
    tokenizer, model = transcriber.tokenizer, transcriber.prompter.language_model

    def speech(clip: Clip) -> Sequence:
        return Sequence.of([merge_streams(tokenizer.encode(read_clip(clip)))])

    lines = {
        clip.id: Line(Sequence.of([*speech(clip).spans, TextSpan(clip.text or "")]), clip.id)
        for clip in clips
    }
    examples = [Example(clip.id, clip.speaker, lambda line=lines[clip.id]: line) for clip in clips]
    few_shot = FewShot(Task.load("asr"), examples)
    sampling = replace(few_shot.task.add_stops(SAMPLING), max_new_tokens=4)
    prompter = Prompter(model, "text", few_shot.task.add_stops(SAMPLING), few_shot)
    found = records(replace(transcriber, prompter=prompter, max_new_tokens=4), clips)
    assert [record["examples"] for record in found] == [["b", "c"], ["a", "c"], ["a", "b"]]
    prompt = few_shot.task.build_prompt(Line(speech(clips[0]), "a"), [lines["b"], lines["c"]])
    generation = model.generate(prompt, to="text", sampling=sampling)
    assert found[0]["text"] == " ".join(generation.sequence.text.split())
    assert found[0]["prompt_tokens"] == len(prompt.encode(model.vocabulary, "text"))


def test_speech_to_text_of_clips_that_cannot_be_used(transcriber: SpeechToText, clips: list[Clip]) -> None:
    bad = [replace(clips[0], source="gone.wav"), replace(clips[1], text="..."), clips[2]]
    outcomes = transcriber.measure(bad)
    with pytest.raises(AudioError, match="gone"):
        next(outcomes)[1].result()
    with pytest.raises(ManifestError, match="b: nothing is left of its text"):
        next(outcomes)[1].result()
    assert next(outcomes)[1].result()["reference"] == "of cow skin"


def test_score_texts_in_the_worked_example() -> None:
    clips = [Clip("a", "a.wav", text="FIVE HUNDRED AND ONE MEN")]
    texts = {"a": "five hundred one man"}
    for normalizer, rate in (("whisper", 1 / 2), ("spoken", 1 / 4)):
        if normalizer == "whisper":
            pytest.importorskip("whisper_normalizer")
        ((_, outcome),) = score_texts(texts, normalizer, clips)  # type: ignore[arg-type]
        found = result(RunDescription("asr", "0"), [outcome.result()])
        assert found.row("speech to text").values["wer"].value == rate
