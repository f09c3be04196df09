from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.evaluation.asr import SAMPLING, SpeechToText, result
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.timeline import merge_streams

SAID = "a strip of cow skin for a belt to hold it in"


@pytest.fixture(scope="module")
def language_model(release_tree: Path) -> LanguageModel:
    return LanguageModel.load(str(release_tree), device="cpu")


@pytest.fixture
def clip(recording_file: Path) -> Clip:
    return Clip("clip", recording_file, start=0.0, end=3.0, text=SAID)


def test_speech_to_text(release_tree: Path, language_model: LanguageModel, clip: Clip) -> None:
    benchmark = SpeechToText(SpeechTokenizer.load(str(release_tree), device="cpu"), language_model)
    benchmark = replace(benchmark, sampling=replace(benchmark.sampling, max_new_tokens=8))
    item = benchmark.measure(clip)
    assert item == benchmark.measure(clip)
    assert item.tokens <= 8
    assert item.seconds == pytest.approx(3.0, abs=0.01)
    assert item.transcript.words.length == len(SAID.split())
    assert item.to_json()["finished"] == item.finished

    found = result(RunDescription("asr", "1"), [item.to_json()])
    assert (found.items, found.rows[0].values["wer"].value) == (1, item.transcript.words.rate)


def test_speech_to_text_in_the_form_of_a_task(release_tree: Path, clip: Clip, tmp_path: Path) -> None:
    benchmark = SpeechToText.load(
        str(release_tree), device="cpu", task="asr", sampling=replace(SAMPLING, max_new_tokens=8)
    )
    units = merge_streams(benchmark.tokenizer.encode(read_clip(clip)))
    prompt = Line(Sequence.of([units]), opens="text")
    sampling = Sampling(greedy=True, max_new_tokens=8, stop=("<END>",), one_span=True)
    generation = benchmark.language_model.generate(prompt, to="text", sampling=sampling)
    assert benchmark.measure(clip).transcript.text == " ".join(generation.sequence.text.split())
    template = tmp_path / "template.yaml"
    template.write_text('{example: "{speech}[TEXT] {text}", question: "{speech}[TEXT]", to: speech}')
    with pytest.raises(CheckpointError, match="the answers of this task are not text"):
        SpeechToText.load(str(release_tree), device="cpu", task=str(template))
