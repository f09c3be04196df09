"""What comes out, whatever the network says: over networks with random weights and nano's vocabulary."""

from functools import cache
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.grammar import RequestedModality
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.transformers_llama import as_weights, new_network
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.tokens.writer import format_sequence
from spiritlm_cli.vocoder.vocoder import Vocoder

PROMPTS = [
    "", "[TEXT]", "[SPEECH]", "[TEXT]the cat", "[SPEECH][Hu3][Hu7]", "[TEXT]the cat[SPEECH]",
    "[SPEECH]" + "[Hu9]" * 50, "[SPEECH]" + "[Hu9]" * 60 + "[TEXT]",
    "[SPEECH][St1][Hu3][TEXT]", "[TEXT]a[SPEECH][Pi2][Hu3]", "[SPEECH][Hu3][TEXT]the mat ", "[TEXT]caf\u00e9 \u4f60",
]  # fmt: skip


@cache
def random_model(seed: int) -> LanguageModel:
    vocabulary = Vocabulary.load(find_checkpoint("nano").language_model(True) / "tokenizer.model")
    torch.manual_seed(seed)
    network = new_network(
        vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    with torch.no_grad():
        # the end, the markers and the bytes get likely now and then, not once in thousands of tokens
        often = [vocabulary.eos_id, *vocabulary.marker_ids.values(), *range(3, 259)]
        network.lm_head.weight[often[:3]] *= 100
        network.lm_head.weight[often[3:]] *= 30
    return LanguageModel(as_weights(network), vocabulary, lambda: Vocoder.load("nano").duration_predictor)


samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.3, 1.0, 5.0]),
    top_p=st.sampled_from([0.5, 0.95, 1.0]),
    min_p=st.sampled_from([0.0, 0.1]),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    greedy=st.booleans(),
    max_new_tokens=st.integers(1, 40),
    seed=st.integers(0, 3),
    stop=st.sampled_from([(), ("e",), ("th", "o"), (" ",)]),
    stop_units=st.sampled_from([(), (3, 7), (50, 60, 70, 80)]),
    sentence=st.booleans(),
    one_span=st.booleans(),
)


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, 5), st.sampled_from(PROMPTS), st.sampled_from(["same", "any", "speech", "text"]), samplings
)
def test_what_comes_out_is_always_a_sequence(
    seed: int, prompt: str, to: RequestedModality, sampling: Sampling
) -> None:
    model = random_model(seed)
    vocabulary = model.vocabulary
    line = parse_line(prompt)
    if to == "same" and not (line.opens or line.sequence.spans):
        with pytest.raises(TokenError, match="prompt is empty"):
            model.generate(line, to, sampling)
        return
    found = model.generate(line, to, sampling)
    begun = model.start(GenerationRequest(line, to, sampling))
    room = min(sampling.max_new_tokens or 0, model.context_length - len(begun.ids))
    assert 0 <= len(found.ids) <= room
    if found.finish_reason == "length":
        assert len(found.ids) == room
    assert parse_sequence(format_sequence(found.sequence)) == found.sequence

    markers = set(vocabulary.marker_ids.values())
    known = {*vocabulary.text_ids, *vocabulary.unit_ids.values(), *markers} - {vocabulary.nul_id}
    assert set(found.ids) <= known
    kinds = {type(span) for span in found.sequence.spans}
    wanted = to if to != "same" else line.opens or line.sequence.ends_in
    if wanted != "any" or sampling.one_span:
        assert len(kinds) <= 1 or not line.sequence.spans
    if wanted != "any":
        assert kinds <= {TextSpan if wanted == "text" else SpeechSpan}
        assert not markers & set(found.ids)
    else:
        start = vocabulary.encode(line.sequence, line.opens)
        every = [*start, *found.ids]
        kind = None
        for before, token in pairwise(every):
            if token in markers:
                assert before not in markers, "no span is empty"
                assert token != kind, "no marker follows a span of its own kind"
                kind = token
            else:
                assert token in (
                    vocabulary.text_ids
                    if kind == vocabulary.marker_ids["text"]
                    else vocabulary.unit_ids.values()
                )
    text = found.sequence.text
    if found.finish_reason != "stop":
        assert found.sequence == vocabulary.decode(found.ids)
    assert not any(
        stop in span.text
        for span in found.sequence.spans
        if isinstance(span, TextSpan)
        for stop in sampling.stop
    )
    assert len(text) <= len(vocabulary.decode(found.ids).text)

    pieces = list(model.stream(model.start(GenerationRequest(line, to, sampling))))
    assert Sequence.of(pieces) == found.sequence
    assert all(len(piece.units) == 1 for piece in pieces if isinstance(piece, SpeechSpan))


def test_anything_may_come_with_any() -> None:
    kinds = set()
    prompt = parse_sequence("[TEXT]the")
    for seed in range(30):
        found = random_model(seed % 6).generate(prompt, "any", Sampling(top_p=1.0, seed=seed))
        kinds |= {len(found.sequence.spans) > 2, found.finish_reason}
    assert kinds >= {True, "end"}


def test_a_bare_marker_opens_the_span_that_is_filled() -> None:
    model = random_model(0)
    sampling = Sampling(greedy=True, max_new_tokens=5)
    opened = parse_line("[TEXT]the cat[SPEECH]")
    plain = parse_sequence("[TEXT]the cat")
    assert (
        model.start(GenerationRequest(opened, "same", sampling)).ids
        == model.start(GenerationRequest(plain, "speech", sampling)).ids
    )
    assert model.generate(opened, "same", sampling) == model.generate(plain, "speech", sampling)
    # asked for another kind, the marker that would be empty is left out
    assert (
        model.start(GenerationRequest(opened, "text", sampling)).ids
        == model.start(GenerationRequest(plain, "text", sampling)).ids
    )
    tokens = model.start(GenerationRequest(opened, "any", sampling)).ids
    assert tokens == [*model.vocabulary.encode(plain), model.vocabulary.marker_ids["speech"]]


def test_stops_are_cut_off_and_never_streamed() -> None:
    """The text comes byte by byte: a stop is cut in the middle of what the network said, and of a piece."""
    model = random_model(1)
    for seed in range(20):
        plain = model.generate(Line(Sequence()), "text", Sampling(seed=seed, max_new_tokens=60)).sequence.text
        if len(plain) < 12:
            continue
        stop = plain[7:10]
        found = model.generate(
            Line(Sequence()), "text", Sampling(seed=seed, max_new_tokens=60, stop=("~~~", stop))
        )
        assert found.finish_reason == "stop"
        assert found.finished
        assert found.sequence.text == plain[: plain.index(stop)]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("He ran. Then he sat.", "He ran."),
        ("He ran away", "He ran away"),
        ("Mr. Fox met Dr. Hen! They ate.", "Mr. Fox met Dr. Hen!"),
        ('"Stop!" he said.', '"Stop!"'),
        ("It cost 3.50 in all? Yes.", "It cost 3.50 in all?"),
        ("He ran.", "He ran."),
        (" . He", " ."),
    ],
)
def test_a_sentence_ends(text: str, kept: str) -> None:
    model = random_model(0)
    sampling = Sampling(sentence=True, max_new_tokens=60)
    continuation = model.start(GenerationRequest(Line(Sequence()), "text", sampling))
    for token in [*model.vocabulary.encode_text(text), model.vocabulary.eos_id]:
        if continuation.finish_reason is None:
            assert continuation.allowed[token]
            continuation.append(token)
    found = continuation.result()
    assert found is not None
    assert found.sequence.text == kept
    assert found.finish_reason == ("stop" if kept != text else "end")


def test_a_sentence_ends_before_speech() -> None:
    model = random_model(0)
    continuation = model.start(
        GenerationRequest(Line(Sequence()), "any", Sampling(sentence=True, max_new_tokens=60))
    )
    markers = model.vocabulary.marker_ids
    for token in [markers["text"], *model.vocabulary.encode_text("He ran."), markers["speech"]]:
        continuation.append(token)
    found = continuation.result()
    assert found is not None
    assert (found.finish_reason, found.sequence.text) == ("stop", "He ran.")
    assert markers["speech"] not in found.ids


@pytest.mark.parametrize("prompt", ["[TEXT]the cat", "[SPEECH][St3][Pi8][Hu365][Hu186]"])
def test_seconds_are_those_of_the_vocoder(prompt: str) -> None:
    vocoder = Vocoder.load("nano")
    reasons = set()
    for seed in range(6):
        model = random_model(seed)
        start = parse_sequence(prompt)
        sampling = Sampling(max_seconds=1.0, min_seconds=0.9, seed=seed, max_new_tokens=60)
        found = model.generate(start, "speech", sampling)
        reasons.add(found.finish_reason)
        before = [unit.id for span in start.speech for unit in span.units if unit.kind is Kind.HUBERT]
        added = [unit.id for span in found.sequence.speech for unit in span.units if unit.kind is Kind.HUBERT]
        frames = vocoder.duration_predictor.frames(torch.tensor(before + added))
        seconds = frames[len(before) :].sum().item() * 0.04
        assert seconds <= 1.0
        assert found.finish_reason in ("length", "seconds") or seconds >= 0.9
        if found.finish_reason == "seconds":
            more = model.generate(start, "speech", Sampling(min_seconds=0.9, seed=seed, max_new_tokens=60))
            ids = [
                unit.id for span in more.sequence.speech for unit in span.units if unit.kind is Kind.HUBERT
            ]
            frames = vocoder.duration_predictor.frames(torch.tensor(before + ids[: len(added) + 1]))
            assert frames[len(before) :].sum().item() * 0.04 > 1.0, "one unit more would have been too much"
    assert "seconds" in reasons


def test_seconds_need_a_vocoder() -> None:
    model = random_model(0)
    alone = LanguageModel.read(find_checkpoint("nano").language_model(True), "cpu")
    with pytest.raises(CheckpointError, match="vocoder"):
        alone.generate(parse_sequence("[Hu1]"), "speech", Sampling(max_seconds=1.0))
    assert model.generate(parse_sequence("[Hu1]"), "speech", Sampling(max_seconds=1.0)).sequence


def test_a_prompt_can_be_cut_from_the_left() -> None:
    model = random_model(0)  # of 64 tokens
    units = tuple(Unit(Kind.HUBERT, number) for number in range(100))
    vocabulary = model.vocabulary
    sampling = Sampling(greedy=True, max_new_tokens=10)
    with pytest.raises(TokenError, match=r"102 tokens.*64"):
        model.start(GenerationRequest(Sequence((SpeechSpan(units),)), "same", sampling))
    cut = model.start(GenerationRequest(Sequence((SpeechSpan(units),)), "same", sampling, overflow="cut"))
    kept = [vocabulary.unit_ids[unit] for unit in units[-52:]]
    assert cut.ids == [vocabulary.bos_id, vocabulary.marker_ids["speech"], *kept]
    assert cut.truncated == 102 - 54
    found = model.generate(Sequence((SpeechSpan(units),)), "same", sampling, overflow="cut")
    assert (found.truncated, found.finish_reason in ("length", "end")) == (48, True)
    # room for half the context at most
    many = Sampling(greedy=True, max_new_tokens=1000)
    assert (
        len(model.start(GenerationRequest(Sequence((SpeechSpan(units),)), "same", many, overflow="cut")).ids)
        == 32
    )
    # what fits is left alone
    whole = model.start(GenerationRequest(Sequence((SpeechSpan(units[:60]),)), "same", many, overflow="cut"))
    assert (len(whole.ids), whole.truncated) == (62, 0)


@given(st.integers(3, 12))
def test_the_last_tokens_are_a_prompt_too(count: int) -> None:
    vocabulary = random_model(0).vocabulary
    ids = vocabulary.encode(parse_sequence("[TEXT]one[SPEECH][Hu1][Hu2][Hu3][TEXT]two three[SPEECH][Hu4]"))
    shorter = vocabulary.truncate_left(ids, count)
    assert len(shorter) <= count
    assert shorter[0] == vocabulary.bos_id
    markers = set(vocabulary.marker_ids.values())
    assert shorter[1] in markers
    assert shorter[2] not in markers
    assert shorter[-1] == ids[-1]
