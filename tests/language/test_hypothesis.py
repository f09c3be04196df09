"""What hypothesiss contain and how they end, for networks with random weights."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_lm import random_lm

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.grammar import RequestedModality
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.tokens.writer import format_sequence
from spiritlm_cli.vocoder.vocoder import Vocoder

PROMPTS = [
    "", "[TEXT]", "[SPEECH]", "[TEXT]the cat", "[SPEECH][Hu3][Hu7]", "[TEXT]the cat[SPEECH]",
    "[SPEECH]" + "[Hu9]" * 50, "[SPEECH]" + "[Hu9]" * 60 + "[TEXT]",
    "[SPEECH][St1][Hu3][TEXT]", "[TEXT]a[SPEECH][Pi2][Hu3]", "[SPEECH][Hu3][TEXT]the mat ", "[TEXT]caf\u00e9 \u4f60",
]  # fmt: skip


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
def test_output_is_always_a_well_formed_sequence(
    seed: int, prompt: str, to: RequestedModality, sampling: Sampling
) -> None:
    lm = random_lm(seed)
    vocabulary = lm.vocabulary
    line = parse_line(prompt)
    if to == "same" and not (line.opens or line.sequence.spans):
        with pytest.raises(TokenError, match="prompt is empty"):
            lm.generate(line, to, sampling)
        return
    generation = lm.generate(line, to, sampling)
    started = lm.start(GenerationRequest(line, to, sampling))
    room = min(sampling.max_new_tokens or 0, lm.context_length - len(started.ids))
    assert 0 <= len(generation.ids) <= room
    if generation.finish_reason == "length":
        assert len(generation.ids) == room
    assert parse_sequence(format_sequence(generation.sequence)) == generation.sequence

    markers = set(vocabulary.marker_ids.values())
    known = {*vocabulary.text_ids, *vocabulary.unit_ids.values(), *markers} - {vocabulary.nul_ids[0]}
    assert set(generation.ids) <= known
    kinds = {type(span) for span in generation.sequence.spans}
    wanted = to if to != "same" else line.opens or line.sequence.ends_in
    if wanted != "any" or sampling.one_span:
        assert len(kinds) <= 1 or not line.sequence.spans
    if wanted != "any":
        assert kinds <= {TextSpan if wanted == "text" else SpeechSpan}
        assert not markers & set(generation.ids)
    else:
        start = vocabulary.encode(line.sequence, line.opens)
        every = [*start, *generation.ids]
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
    text = generation.sequence.text
    if generation.finish_reason != "stop":
        assert generation.sequence == vocabulary.decode(generation.ids)
    assert not any(
        stop in span.text
        for span in generation.sequence.spans
        if isinstance(span, TextSpan)
        for stop in sampling.stop
    )
    assert len(text) <= len(vocabulary.decode(generation.ids).text)

    pieces = list(lm.stream(lm.start(GenerationRequest(line, to, sampling))))
    assert Sequence.of(pieces) == generation.sequence
    assert all(len(piece.units) == 1 for piece in pieces if isinstance(piece, SpeechSpan))


def test_output_any_changes_between_modalities() -> None:
    kinds = set()
    prompt = parse_sequence("[TEXT]the")
    for seed in range(30):
        generation = random_lm(seed % 6).generate(prompt, "any", Sampling(top_p=1.0, seed=seed))
        kinds |= {len(generation.sequence.spans) > 2, generation.finish_reason}
    assert kinds >= {True, "end"}


def test_stop_texts_end_the_continuation_and_are_not_part_of_it() -> None:
    """The network generates bytes, so a stop text may begin and end within what it generates."""
    lm = random_lm(1)
    for seed in range(20):
        plain = lm.generate(Line(Sequence()), "text", Sampling(seed=seed, max_new_tokens=60)).sequence.text
        if len(plain) < 12:
            continue
        stop = plain[7:10]
        generation = lm.generate(
            Line(Sequence()), "text", Sampling(seed=seed, max_new_tokens=60, stop=("~~~", stop))
        )
        assert generation.finish_reason == "stop"
        assert generation.finished
        assert generation.sequence.text == plain[: plain.index(stop)]


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
def test_sentence_ends_after_one_sentence(text: str, kept: str) -> None:
    lm = random_lm(0)
    sampling = Sampling(sentence=True, max_new_tokens=60)
    hypothesis = lm.start(GenerationRequest(Line(Sequence()), "text", sampling))
    for token in [*lm.vocabulary.encode_text(text), lm.vocabulary.eos_id]:
        if hypothesis.finish_reason is None:
            assert hypothesis.allowed[token]
            hypothesis.append(token)
    generation = hypothesis.result()
    assert generation is not None
    assert generation.sequence.text == kept
    assert generation.finish_reason == ("stop" if kept != text else "end")


def test_sentence_ends_before_a_marker() -> None:
    lm = random_lm(0)
    hypothesis = lm.start(
        GenerationRequest(Line(Sequence()), "any", Sampling(sentence=True, max_new_tokens=60))
    )
    markers = lm.vocabulary.marker_ids
    for token in [markers["text"], *lm.vocabulary.encode_text("He ran."), markers["speech"]]:
        hypothesis.append(token)
    generation = hypothesis.result()
    assert generation is not None
    assert (generation.finish_reason, generation.sequence.text) == ("stop", "He ran.")
    assert markers["speech"] not in generation.ids


@pytest.mark.parametrize("prompt", ["[TEXT]the cat", "[SPEECH][St3][Pi8][Hu365][Hu186]"])
def test_limits_in_seconds_are_those_of_the_vocoder(prompt: str) -> None:
    vocoder = Vocoder.load("nano")
    reasons = set()
    for seed in range(6):
        lm = random_lm(seed)
        start = parse_sequence(prompt)
        sampling = Sampling(max_seconds=1.0, min_seconds=0.9, seed=seed, max_new_tokens=60)
        generation = lm.generate(start, "speech", sampling)
        reasons.add(generation.finish_reason)
        before = [unit.id for span in start.speech for unit in span.units if unit.kind is Kind.HUBERT]
        added = [
            unit.id for span in generation.sequence.speech for unit in span.units if unit.kind is Kind.HUBERT
        ]
        frames = vocoder.duration_predictor.frames(torch.tensor(before + added))
        seconds = frames[len(before) :].sum().item() * 0.04
        assert seconds <= 1.0
        assert generation.finish_reason in ("length", "seconds") or seconds >= 0.9
        if generation.finish_reason == "seconds":
            more = lm.generate(start, "speech", Sampling(min_seconds=0.9, seed=seed, max_new_tokens=60))
            ids = [
                unit.id for span in more.sequence.speech for unit in span.units if unit.kind is Kind.HUBERT
            ]
            frames = vocoder.duration_predictor.frames(torch.tensor(before + ids[: len(added) + 1]))
            assert frames[len(before) :].sum().item() * 0.04 > 1.0, "one unit more would have been too much"
    assert "seconds" in reasons
