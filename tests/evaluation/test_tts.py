from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.prompting import Prompter
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.tts import SAMPLING, TextToSpeech, result, score_speech
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.vocoder.vocoder import Vocoder

SAID = "a strip of cow skin for a belt to hold it in"


class Durations:
    """A recognizer that writes how many tenths of a second it was given."""

    name = "durations"

    def transcribe(self, waveform: Waveform) -> str:
        return " ".join(["a"] * round(10 * waveform.seconds))


@pytest.fixture(scope="module")
def speaker(small_release: Path) -> TextToSpeech:
    model = LanguageModel.load(str(small_release), device="cpu")
    vocoder = Vocoder.load(str(small_release), device="cpu")
    return TextToSpeech(
        Prompter(model, "speech", SAMPLING), vocoder, Durations(), "spoken", max_new_tokens=40
    )


@pytest.fixture
def clips(recording_file: Path) -> list[Clip]:
    return [
        Clip("a", recording_file, start=0.0, end=3.0, text=SAID),
        Clip("b", "gone.wav", text="well"),
    ]


def records(speaker: TextToSpeech, clips: list[Clip]) -> list[Record]:
    return [outcome.result() for _, outcome in speaker.measure(clips)]


def test_text_to_speech_does_not_depend_on_the_batch(speaker: TextToSpeech, clips: list[Clip]) -> None:
    saved: list[tuple[str, float]] = []
    found = records(
        replace(speaker, save=lambda clip, waveform: saved.append((clip.id, waveform.seconds))), clips
    )
    assert found == records(replace(speaker, batch_size=1), clips)
    assert found[1:] == records(speaker, clips[1:])
    assert saved == [("a", found[0]["seconds"]), ("b", found[1]["seconds"])]
    assert all(0 < record["tokens"] <= 40 and record["seconds"] > 0 for record in found)
    assert result(RunDescription("tts", "0"), found).row("text to speech").items == 2
    prompter = replace(speaker.prompter, sampling=replace(SAMPLING, seed=1))
    assert records(replace(speaker, prompter=prompter), clips) != found


def test_text_to_speech_goes_to_the_end_of_the_context(speaker: TextToSpeech, clips: list[Clip]) -> None:
    without_limit = replace(speaker, max_new_tokens=None)
    prompts = [without_limit._prompt(clip) for clip in clips]
    for prompted in prompts:
        limit = prompted.request.sampling.max_new_tokens
        assert limit == speaker.prompter.language_model.context_length - len(prompted.encoded)
    # a context with room for 40 tokens a second of the recording, or a tenth of a second a character
    short = replace(without_limit, prompter=replace(speaker.prompter, context=len(prompts[0].encoded) + 120))
    assert not short._prompt(clips[0]).cut
    assert short._prompt(replace(clips[0], end=3.1)).cut
    assert not short._prompt(clips[1]).cut


def test_text_to_speech_without_text(speaker: TextToSpeech, clips: list[Clip]) -> None:
    _, outcome = next(speaker.measure([replace(clips[0], text=None)]))
    with pytest.raises(ManifestError, match="a: its text is empty or missing"):
        outcome.result()


def test_speech_that_cannot_be_synthesized_has_an_empty_transcript(
    speaker: TextToSpeech, clips: list[Clip]
) -> None:
    # one token: a phonetic unit has no pitch unit, so it can't be synthesized
    (record,) = records(replace(speaker, max_new_tokens=1), clips[:1])
    assert (record["seconds"], record["text"], record["wer"]) == (0.0, "", 1.0)


def test_score_speech(clips: list[Clip]) -> None:
    ((_, outcome),) = score_speech(
        lambda name: clips[0], Durations(), "spoken", [replace(clips[1], text="a a a")]
    )
    record = outcome.result()
    assert (record["seconds"], record["reference"], record["words"]["insertions"]) == (3.0, "a a a", 27)
