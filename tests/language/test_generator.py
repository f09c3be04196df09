"""Starting, continuing and batching hypotheses, on a small network and on one with random weights."""

import pytest
from random_lm import random_lm

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit

GREEDY = Sampling(greedy=True, max_new_tokens=40)
TEXT = parse_sequence("[TEXT]the cat sat on")
SPEECH = parse_sequence("[SPEECH][St3][Pi8][Hu365][Hu186]")
PROMPTS = [
    TEXT, SPEECH, parse_sequence("[TEXT]a"), parse_sequence("[SPEECH][Hu3][TEXT]the mat [SPEECH][Hu7]"),
    Sequence((SpeechSpan(SPEECH.speech[0].units * 60),)), *(parse_sequence(f"[TEXT]{'so ' * n}") for n in range(1, 4)),
]  # fmt: skip


@pytest.mark.parametrize("prompt", [TEXT, SPEECH, Sequence()])
def test_generate_restricts_the_output_to_one_modality(lm: LanguageModel, prompt: Sequence) -> None:
    sampling = Sampling(max_new_tokens=10, temperature=3.0, top_p=1.0)
    for to, span_type in (("text", TextSpan), ("speech", SpeechSpan)):
        spans = lm.generate(prompt, to, sampling).sequence.spans  # type: ignore[arg-type]
        assert {type(span) for span in spans} <= {span_type}


def test_generate_same_continues_the_modality_of_the_prompt(lm: LanguageModel) -> None:
    assert lm.generate(TEXT, "same", GREEDY) == lm.generate(TEXT, "text", GREEDY)
    assert lm.generate(SPEECH, "same", GREEDY) == lm.generate(SPEECH, "speech", GREEDY)
    with pytest.raises(TokenError, match="prompt is empty"):
        lm.generate(Sequence(), "same", GREEDY)


def test_generate_ends_at_the_end_of_sequence(lm: LanguageModel) -> None:
    sampling = Sampling(temperature=100.0, top_p=1.0, max_new_tokens=4000)
    generation = lm.generate(SPEECH, "speech", sampling)  # one of 666 tokens is `</s>`
    assert generation.finished
    assert lm.vocabulary.eos_id not in generation.ids
    assert len(generation.ids) < 4000
    assert not lm.generate(SPEECH, "speech", GREEDY).finished


def test_generate_depends_on_seed_and_key(lm: LanguageModel) -> None:
    three, four = (Sampling(seed=seed, max_new_tokens=20) for seed in (3, 4))
    first = lm.generate(TEXT, "speech", three, key="a")
    lm.generate(SPEECH, "speech", three, key="b")
    assert lm.generate(TEXT, "speech", three, key="a") == first
    assert lm.generate(TEXT, "speech", three, key="b") != first
    assert lm.generate(TEXT, "speech", four, key="a") != first


def test_generate_refuses_a_prompt_longer_than_the_context(lm: LanguageModel) -> None:
    units = SPEECH.speech[0].units * 1024
    with pytest.raises(TokenError, match=r"4098 tokens.*4096"):
        lm.generate(Sequence((SpeechSpan(units),)), "speech", GREEDY)
    # <s>, [Speech], 4090 units: room for four more
    assert len(lm.generate(Sequence((SpeechSpan(units[:4090]),)), "speech", GREEDY).ids) == 4


@pytest.mark.parametrize(("to", "batch_size"), [("same", 16), ("any", 3), ("text", 1), ("speech", 5)])
def test_generate_stream_does_not_depend_on_the_batch(to: str, batch_size: int) -> None:
    drawn = Sampling(max_new_tokens=12, temperature=2.0, repetition_penalty=1.2, seed=4)
    for sampling in (Sampling(greedy=True, max_new_tokens=12), drawn):
        # greedy, one that ends often would end at once
        lm = random_lm(0, layers=2, context=256, ends=not sampling.greedy)
        requests = [
            GenerationRequest(prompt, to, sampling, str(index))  # type: ignore[arg-type]
            for index, prompt in enumerate(PROMPTS)
        ]
        stream = lm.generate_stream(requests, lambda request: request, samples=2, batch_size=batch_size)
        for request, generations in stream:
            alone = [
                lm.generate(request.prompt, request.to, sampling, f"{request.key}#{sample}")
                for sample in range(2)
            ]
            assert list(generations) == alone


def test_generate_stream_samples_each_request_with_its_own_options(lm: LanguageModel) -> None:
    samplings = [
        Sampling(max_new_tokens=12, temperature=2.0), Sampling(max_new_tokens=12, temperature=0.5),
        Sampling(max_new_tokens=9, greedy=True), Sampling(max_new_tokens=12, temperature=3.0, top_k=40),
        Sampling(max_new_tokens=12, temperature=3.0, min_p=0.05), Sampling(max_new_tokens=12, top_p=1.0),
        Sampling(max_new_tokens=12, temperature=2.0, repetition_penalty=1.5, seed=9),
        Sampling(max_new_tokens=12, greedy=True, repetition_penalty=1.5),
    ]  # fmt: skip
    requests = [
        GenerationRequest(prompt, "any" if index % 3 else "same", sampling, str(index))
        for index, (prompt, sampling) in enumerate(zip(PROMPTS, samplings, strict=True))
    ]
    alone = [
        lm.generate(request.prompt, request.to, request.sampling, f"{request.key}#0") for request in requests
    ]
    for order in (requests, requests[::-1]):
        stream = lm.generate_stream(order, lambda request: request, batch_size=len(order))
        assert [outcome.result() for _, outcome in stream] == [
            alone[requests.index(request)] for request in order
        ]


def test_generate_stream_keeps_an_error_in_its_item(lm: LanguageModel) -> None:
    lines = ["[TEXT]the cat", "[SPEECH][Hu501]", "", "[SPEECH]" + "[Hu1]" * 5000, "[TEXT]the cat"]
    results: list[object] = []
    stream = lm.generate_stream(lines, lambda line: GenerationRequest(parse_sequence(line), sampling=GREEDY))
    for _, outcome in stream:
        try:
            results.append(outcome.result())
        except TokenError as error:
            results.append(str(error))
    assert results[0] == results[4] == lm.generate(parse_sequence(lines[0]), "same", GREEDY)
    assert "[Hu0] to [Hu500]" in str(results[1])
    assert "prompt is empty" in str(results[2])
    assert "context" in str(results[3])


def test_start_opens_the_span_of_a_bare_marker() -> None:
    lm = random_lm(0)
    opened = parse_line("[TEXT]the cat[SPEECH]")
    plain = parse_sequence("[TEXT]the cat")

    def ids(prompt: Sequence | Line, to: str) -> list[int]:
        return lm.start(GenerationRequest(prompt, to)).ids  # type: ignore[arg-type]

    assert ids(opened, "same") == ids(plain, "speech")
    sampling = Sampling(greedy=True, max_new_tokens=5)
    assert lm.generate(opened, "same", sampling) == lm.generate(plain, "speech", sampling)
    # with another modality, the marker would open an empty span and is omitted
    assert ids(opened, "text") == ids(plain, "text")
    assert ids(opened, "any") == [*lm.vocabulary.encode(plain), lm.vocabulary.marker_ids["speech"]]


def test_limits_in_seconds_need_a_duration_predictor() -> None:
    sampling = Sampling(max_seconds=1.0)
    without = LanguageModel.read(find_checkpoint("nano").language_model(True), "cpu")
    with pytest.raises(CheckpointError, match="duration predictor"):
        without.generate(parse_sequence("[Hu1]"), "speech", sampling)
    assert random_lm(0).generate(parse_sequence("[Hu1]"), "speech", sampling).sequence


def test_overflow_cut_removes_the_beginning_of_the_prompt() -> None:
    lm = random_lm(0)  # of 64 tokens
    vocabulary = lm.vocabulary
    units = tuple(Unit(Kind.HUBERT, unit_id) for unit_id in range(100))
    prompt = Sequence((SpeechSpan(units),))
    sampling = Sampling(greedy=True, max_new_tokens=10)
    with pytest.raises(TokenError, match=r"102 tokens.*64"):
        lm.start(GenerationRequest(prompt, "same", sampling))
    cut = lm.start(GenerationRequest(prompt, "same", sampling, overflow="cut"))
    kept = [vocabulary.unit_ids[unit] for unit in units[-52:]]
    assert cut.ids == [vocabulary.bos_id, vocabulary.marker_ids["speech"], *kept]
    assert cut.truncated == 102 - 54
    generation = lm.generate(prompt, "same", sampling, overflow="cut")
    assert generation.truncated == 48
    assert generation.finish_reason in ("length", "end")
    # at most half the context is kept free
    many = Sampling(greedy=True, max_new_tokens=1000)
    assert len(lm.start(GenerationRequest(prompt, "same", many, overflow="cut")).ids) == 32
    # a prompt that fits is not cut
    fitting = Sequence((SpeechSpan(units[:60]),))
    whole = lm.start(GenerationRequest(fitting, "same", many, overflow="cut"))
    assert (len(whole.ids), whole.truncated) == (62, 0)


def test_overflow_cut_removes_whole_examples_first(lm: LanguageModel) -> None:
    vocabulary = lm.vocabulary
    short, long = parse_sequence("[TEXT]a b"), parse_sequence("[TEXT]" + "so " * 1000)
    ids = vocabulary.encode(short)[1:]
    started = lm.start(GenerationRequest(Prompt(Line(short), (short, short))))
    assert started.ids == [vocabulary.bos_id, *ids, *ids, *ids]
    many = Prompt(Line(short), (long,) * 9)
    length = len(vocabulary.encode(long)) - 1
    fitting = (lm.context_length - 1 - len(ids) - 1) // length
    assert fitting < 9
    with pytest.raises(
        TokenError, match=rf"{9 * length + len(ids) + 1} tokens.*{fitting} of its 9 examples would fit"
    ):
        lm.start(GenerationRequest(many))
    cut = lm.start(GenerationRequest(many, overflow="cut", sampling=Sampling(max_new_tokens=1)))
    assert len(cut.ids) == 1 + fitting * length + len(ids)
    assert cut.truncated == (9 - fitting) * length
    # a prompt that fits is not cut
    prompt = Prompt(Line(short), (long, short))
    assert lm.start(GenerationRequest(prompt, overflow="cut")).ids == lm.start(GenerationRequest(prompt)).ids
