from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from judge_fixtures import write_ctc_recognizer, write_text_lm

from spiritlm_cli.errors import AudioError
from spiritlm_cli.evaluation.continuation import Continuation, ContinuationItem
from spiritlm_cli.evaluation.judges.ctc_recognizer import CtcRecognizer
from spiritlm_cli.evaluation.judges.text_lm import TextLanguageModel
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.vocoder.vocoder import Vocoder


@pytest.fixture(scope="module")
def continuation(small_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Continuation:
    folder, model = tmp_path_factory.mktemp("judges"), str(small_release)
    return Continuation(
        SpeechTokenizer.load(model, device="cpu"),
        LanguageModel.load(model, device="cpu"),
        Vocoder.load(model, device="cpu"),
        CtcRecognizer.load(write_ctc_recognizer(folder / "ctc"), "cpu"),
        TextLanguageModel.load(write_text_lm(folder / "lm", max_position_embeddings=1024), "cpu"),
        "gslm",
        Sampling(top_p=0.95, max_new_tokens=12),
        prompt_seconds=0.5,
    )


@pytest.fixture(scope="module")
def items(recording_file: Path) -> list[ContinuationItem]:
    clips = [Clip(f"clip{start}", recording_file, start, start + 0.7) for start in (0.5, 2.0)]
    return [ContinuationItem(clip, temperature) for clip in clips for temperature in (None, 0.5, 1.0)]


def measured(continuation: Continuation, items: Sequence[ContinuationItem]) -> dict[str, Record]:
    return {item.id: outcome.result() for item, outcome in continuation.measure(items)}


@pytest.fixture(scope="module")
def records(continuation: Continuation, items: list[ContinuationItem]) -> dict[str, Record]:
    return measured(continuation, items)


def test_measure(
    continuation: Continuation, items: list[ContinuationItem], records: dict[str, Record]
) -> None:
    assert list(records) == [
        f"clip{start}@{name}" for start in (0.5, 2.0) for name in ("original", "0.5", "1")
    ]
    for item, record in zip(items, records.values(), strict=True):
        assert record["temperature"] == item.temperature
        # no longer than the rest of the clip
        assert record["seconds"] <= 0.2 + 1e-6
        (score,) = continuation.text_lm.score([record["text"]])
        assert (record["nll"], record["text_tokens"]) == (-score.log_likelihood, score.tokens)
        space = " " if record["prompt"] and record["continuation"] else ""
        (score,) = continuation.text_lm.score([space + record["continuation"]], [record["prompt"]])
        assert record["nll_continuation"] == -score.log_likelihood


def test_measure_does_not_depend_on_the_batch(
    continuation: Continuation, items: list[ContinuationItem], records: dict[str, Record]
) -> None:
    assert measured(replace(continuation, batch_size=1), items[::-1]) == records


def test_slamkit_does_not_cut_to_the_length_of_the_clip(
    continuation: Continuation, items: list[ContinuationItem]
) -> None:
    saved: list[Waveform] = []

    def save(item: ContinuationItem, waveform: Waveform) -> str:
        saved.append(waveform)
        return item.id

    slamkit = replace(continuation, form="slamkit", save=save)
    (record,) = measured(slamkit, items[1:2]).values()
    assert record["tokens"] == 12
    assert record["seconds"] > 0.2
    assert record["audio"] == "clip0.5@0.5"
    assert saved[0].seconds > record["seconds"]


def test_limit_of_tokens_is_the_rest_of_the_clip(
    continuation: Continuation, items: list[ContinuationItem]
) -> None:
    unlimited = replace(continuation, sampling=Sampling(), prompt_seconds=0.6)
    (record,) = measured(unlimited, items[1:2]).values()
    assert record["tokens"] <= 4  # 0.1 s of 40 tokens a second


def test_clips_have_to_be_longer_than_the_prompt(
    continuation: Continuation, items: list[ContinuationItem]
) -> None:
    long = replace(continuation, prompt_seconds=0.7)
    for _, outcome in long.measure(items[:2]):
        with pytest.raises(AudioError, match=r"0\.70 s, which is not longer than the prompt of 0\.7 s"):
            outcome.result()
