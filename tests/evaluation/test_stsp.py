import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judge_fixtures import EMOTIONS, SENTIMENTS, write_speech_classifier, write_text_classifier
from stsp_fixtures import write_stsp

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.console import log
from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.evaluation.judges.speech_classifier import SpeechClassifier
from spiritlm_cli.evaluation.judges.text_classifier import TextClassifier
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.evaluation.stsp import Stsp, StspItem, check_labels, draw_shots, sentiment_of
from spiritlm_cli.evaluation.stsp_data import (
    SENTIMENT_OF_EMOTION,
    ShotRecord,
    StspRecord,
    find_sets,
    read_set,
    read_shots,
)
from spiritlm_cli.evaluation.stsp_directions import DIRECTIONS, Direction, input_of
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.vocoder.vocoder import Vocoder

LIMITS: dict[Direction, int] = dict.fromkeys(DIRECTIONS, 3)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, recording_file: Path) -> Path:
    return write_stsp(tmp_path_factory.mktemp("stsp"), recording_file)


@pytest.fixture(scope="module")
def stsp(small_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Stsp:
    folder, model = tmp_path_factory.mktemp("judges"), str(small_release)
    return Stsp(
        LanguageModel.load(model, device="cpu"),
        Sampling(temperature=0.8),
        SpeechTokenizer.load(model, device="cpu"),
        Vocoder.load(model, device="cpu"),
        TextClassifier.load(write_text_classifier(folder / "text"), "cpu"),
        SpeechClassifier.load(write_speech_classifier(folder / "speech"), "cpu"),
        max_new_tokens=LIMITS,
    )


@pytest.fixture(scope="module")
def items(release: Path) -> list[StspItem]:
    """Two records of the first set of each direction, twice."""
    found = []
    for direction in DIRECTIONS:
        name, path = next(iter(find_sets(release, "test", input_of(direction)).items()))
        records = [record for record in read_set(name, path) if isinstance(record, StspRecord)]
        found += [StspItem(record, direction, run) for record in records[:2] for run in range(2)]
    return found


def measured(stsp: Stsp, items: list[StspItem]) -> dict[str, Record]:
    outcomes = stsp.measure(items)
    return {item.id: outcome.result() for item, outcome in outcomes}


@pytest.fixture(scope="module")
def records(stsp: Stsp, items: list[StspItem]) -> dict[str, Record]:
    return measured(stsp, items)


def test_measure(items: list[StspItem], records: dict[str, Record]) -> None:
    assert list(records) == [item.id for item in items]
    labels = {*SENTIMENTS, *map(SENTIMENT_OF_EMOTION.get, EMOTIONS)}
    for item, record in zip(items, records.values(), strict=True):
        assert (record["direction"], record["run"], record["item"]) == (
            item.direction,
            item.run,
            item.record.id,
        )
        assert record["reference"] == item.record.label()
        assert record["input"] in labels
        assert record["pred"] in labels | {None}
        assert (record["generation"] is not None) == item.direction.endswith("2t")
        assert record["tokens"] <= 3


def test_measure_does_not_depend_on_the_batch(
    stsp: Stsp, items: list[StspItem], records: dict[str, Record]
) -> None:
    assert measured(replace(stsp, batch_size=1), items[::-1]) == records


def test_runs_have_seeds_of_their_own(records: dict[str, Record]) -> None:
    texts = [record["generation"] for record in records.values() if record["direction"] == "t2t"]
    assert texts[0] != texts[1]


def test_without_a_classifier_of_inputs(stsp: Stsp, items: list[StspItem]) -> None:
    (record,) = measured(replace(stsp, text_classifier=None), [items[4]]).values()
    assert items[4].direction == "t2s"
    assert record["input"] is None


def test_speech_is_saved(stsp: Stsp, items: list[StspItem]) -> None:
    saved: list[Waveform] = []

    def save(item: StspItem, waveform: Waveform) -> str:
        saved.append(waveform)
        return item.id

    records = measured(replace(stsp, save=save), items[-2:])
    assert [record["audio"] for record in records.values() if record["pred"]] == list(records)[: len(saved)]


def test_speech_is_tried_again(
    stsp: Stsp, items: list[StspItem], monkeypatch: pytest.MonkeyPatch, records: dict[str, Record]
) -> None:
    vocabulary = stsp.language_model.vocabulary
    grammar = stsp.language_model.grammar
    allowed: Callable[..., object] = grammar.allowed

    def only_the_end(*arguments: object, **options: object) -> object:
        mask = allowed(*arguments, **options).clone()  # type: ignore[attr-defined]
        mask[:] = False
        mask[list(vocabulary.eos_ids)] = True
        return mask

    monkeypatch.setattr(grammar, "allowed", only_the_end)
    (record,) = measured(stsp, items[4:5]).values()
    assert (record["pred"], record["tries"], record["tokens"]) == (None, 3, 0)


def test_a_record_without_text(stsp: Stsp, items: list[StspItem]) -> None:
    fields = {key: value for key, value in items[0].record.fields.items() if key != "asr"}
    broken = StspItem(replace(items[0].record, fields=fields), "t2t", 0)
    outcomes = stsp.measure([broken, items[0]])
    with pytest.raises(ManifestError, match=r"expresso_asr\.test\.jsonl: line 1: asr is not text"):
        next(outcomes)[1].result()
    assert next(outcomes)[1].result()["reference"] == "positive"


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_prompt_with_examples(stsp: Stsp, items: list[StspItem], release: Path, direction: Direction) -> None:
    """Each example is marker and input, marker and output, line end; the input follows in the same form."""
    pool = read_shots(release / f"manifest/few_shot/{direction}.jsonl", direction, release / "data")
    ids = stsp.encode_shots(pool, direction)
    vocabulary = stsp.language_model.vocabulary
    markers = [vocabulary.marker_ids[kind] for kind in ("text", "speech")]
    expected = [markers[part == "s"] for part in (direction[0], direction[2])]
    for example in ids:
        assert [token for token in example if token in markers] == expected
        assert vocabulary.decode(example).text.endswith("\n")
    item = next(item for item in items if item.direction == direction)
    few_shot = replace(stsp, shots={(direction, 0): ids})
    prompt = few_shot._start(item, few_shot._read(item), 0).ids
    examples = [token for example in ids for token in example]
    start = vocabulary.start_length
    assert prompt[start : start + len(examples)] == examples
    assert [token for token in prompt[start + len(examples) :] if token in markers] == expected
    assert prompt[-1] == expected[1]
    # the released script leaves the input out
    released = replace(few_shot, reads_item=False)._start(item, few_shot._read(item), 0).ids
    assert released == [*prompt[: start + len(examples)], expected[1]]


def test_prompt_without_examples(stsp: Stsp, items: list[StspItem]) -> None:
    vocabulary = stsp.language_model.vocabulary
    markers = set(vocabulary.marker_ids.values())
    counts = {
        item.direction: sum(token in markers for token in stsp._start(item, stsp._read(item), 0).ids)
        for item in items
    }
    assert counts == {"t2t": 1, "t2s": 2, "s2t": 2, "s2s": 1}


def test_halves_of_audio(stsp: Stsp, release: Path) -> None:
    """An input is the first half of its file, an output the second half."""
    path = release / "data/emov/0.wav"
    (ids,) = stsp.encode_shots([ShotRecord(1, "neutral", path, path)], "s2s")
    assert stsp.tokenizer is not None
    vocabulary = stsp.language_model.vocabulary
    spans = vocabulary.decode(ids).speech
    samples = read_audio(path).samples
    halves = np.split(samples, [len(samples) // 2])
    expected = [merge_streams(stsp.tokenizer.encode(Waveform(half, 16000))).units for half in halves]
    assert [unit for span in spans for unit in span.units] == [unit for units in expected for unit in units]


def test_draw_shots() -> None:
    pool = [ShotRecord(number, sentiment, "a", "b") for number, sentiment in enumerate([*SENTIMENTS] * 4, 1)]
    for count, drawn in ((3, 3), (4, 6), (9, 9)):
        shots = draw_shots(pool, count, 0, "pool")
        assert len(shots) == drawn
        assert {sum(shot.sentiment == one for shot in shots) for one in SENTIMENTS} == {drawn // 3}
        assert shots == draw_shots(pool, count, 0, "pool") != draw_shots(pool, count, 1, "pool")
    with pytest.raises(ManifestError, match="pool: 4 negative examples, and 5 are needed"):
        draw_shots(pool, 13, 0, "pool")


def test_sentiment_of() -> None:
    labels = ("Positive", "amused", "angry", "default", "LABEL_1", None)
    assert [*map(sentiment_of, labels)] == ["positive", "positive", "negative", "neutral", "label_1", None]


def test_check_labels(caplog: pytest.LogCaptureFixture) -> None:
    log.propagate = True
    with caplog.at_level(logging.WARNING, log.name):
        check_labels(SENTIMENTS, "one")
        check_labels(("Amused", "Angry", "other", "default"), "one")
        assert not caplog.text
        check_labels(("NEGATIVE", "POSITIVE"), "one")
    assert "one: no label of it is neutral, which it can't predict: 'NEGATIVE', 'POSITIVE'" in caplog.text
    with pytest.raises(CheckpointError, match="one: its labels are 'LABEL_0', 'LABEL_1', and none is a sent"):
        check_labels(("LABEL_0", "LABEL_1"), "one")
