from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.recognizer import Recognizer
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.tts import TextToSpeech, result
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.vocoder.vocoder import Vocoder

SAID = "a strip of cow skin for a belt to hold it in"


@pytest.fixture(scope="module")
def language_model(small_release: Path) -> LanguageModel:
    return LanguageModel.load(str(small_release), device="cpu")


@pytest.fixture
def clip(recording_file: Path) -> Clip:
    return Clip("clip", recording_file, start=0.0, end=3.0, text=SAID)


def test_text_to_speech(
    small_release: Path, language_model: LanguageModel, whisper: Recognizer, clip: Clip
) -> None:
    vocoder = Vocoder.load(str(small_release), device="cpu")
    benchmark = TextToSpeech(language_model, vocoder, whisper)
    benchmark = replace(benchmark, sampling=replace(benchmark.sampling, max_new_tokens=40))
    item = benchmark.measure(replace(clip, source="no such file"))
    assert item == benchmark.measure(clip)
    assert 0 < item.tokens <= 40
    assert item.seconds > 0
    assert result(RunDescription("tts", "1"), [item.to_json()]).task == "tts"

    other = replace(benchmark, sampling=replace(benchmark.sampling, seed=1)).measure(clip)
    assert (other.seconds, other.tokens) != (item.seconds, item.tokens)

    with pytest.raises(ManifestError, match="clip: no text"):
        benchmark.measure(replace(clip, text=None))


def test_speech_that_cannot_be_synthesized_has_an_empty_transcript(
    small_release: Path, language_model: LanguageModel, whisper: Recognizer, clip: Clip
) -> None:
    benchmark = TextToSpeech(language_model, Vocoder.load(str(small_release), device="cpu"), whisper)
    # one token: a phonetic unit has no pitch unit, so it can't be synthesized
    item = replace(benchmark, sampling=replace(benchmark.sampling, max_new_tokens=1)).measure(clip)
    assert (item.seconds, item.transcript.text, item.transcript.words.rate) == (0.0, "", 1.0)
