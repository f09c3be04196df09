from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.recognizer import Recognizer
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.resynthesis import Resynthesis, result
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.vocoder.vocoder import Vocoder

SAID = "a strip of cow skin for a belt to hold it in"


@pytest.fixture(scope="module")
def benchmark(small_release: Path, whisper: Recognizer) -> Resynthesis:
    model = str(small_release)
    return Resynthesis(SpeechTokenizer.load(model, device="cpu"), Vocoder.load(model, device="cpu"), whisper)


@pytest.fixture
def clip(recording_file: Path) -> Clip:
    return Clip("clip", recording_file, start=0.0, end=3.0, text=SAID)


def test_original_is_understood_and_random_weights_are_not(benchmark: Resynthesis, clip: Clip) -> None:
    item = benchmark.measure(clip)
    assert (item.id, item.reference, item.seconds) == ("clip", SAID, pytest.approx(3.0, abs=0.01))
    assert item.original.words.rate <= 0.3
    assert item.resynthesis.words.rate >= 0.7
    assert item.tokens > 0
    assert item.resynthesis_seconds > 0
    assert item.to_json()["original"]["wer"] == item.original.words.rate

    found = result(RunDescription("resynthesis", "1"), [item.to_json()] * 2)
    assert [row.name for row in found.rows] == ["original", "resynthesis"]
    assert found.rows[0].values["wer"].value == pytest.approx(item.original.words.rate)
    assert (found.items, found.counts) == (2, {"seconds": pytest.approx(2 * item.seconds)})


def test_the_clips_own_voice_where_the_vocoder_has_it(benchmark: Resynthesis, clip: Clip) -> None:
    same = replace(benchmark, speaker="same")
    voice = benchmark.vocoder.voices.speakers[-1]
    clip = replace(clip, end=1.0)
    assert same.measure(replace(clip, speaker=voice)).speaker == voice
    assert same.measure(replace(clip, speaker="nobody")).speaker is None
    assert replace(benchmark, speaker=voice).measure(clip).speaker == voice


@pytest.mark.parametrize("text", [None, "", "..."])
def test_a_clip_without_words_is_named(benchmark: Resynthesis, clip: Clip, text: str | None) -> None:
    with pytest.raises(ManifestError, match="clip: no text"):
        benchmark.measure(replace(clip, text=text))
