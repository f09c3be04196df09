"""Audio of sequences that are being generated, and of continuations, against that of whole sequences."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind, Unit, Units
from spiritlm_cli.vocoder.vocoder import Vocoder

# Convolutions of different lengths sum, and round, in different order.
ROUNDING = 1e-6


@pytest.fixture(scope="module")
def vocoders(shallow_vocoders: Path) -> dict[bool, Vocoder]:
    return {
        expressive: Vocoder.load(str(shallow_vocoders), expressive, "cpu") for expressive in (False, True)
    }


def speech(golden, keep: bool = False, clip: str = "medium") -> tuple[Unit, ...]:
    ids = {name: np.array(ids.split(), dtype=np.int64) for name, ids in golden[clip]["units"].items()}
    return merge_streams(Units(**ids), keep_repeats=keep).units


def in_pieces(units: tuple[Unit, ...], sizes: list[int]) -> Iterator[SpeechSpan]:
    start = 0
    for index in range(len(units)):
        size = sizes[index % len(sizes)]
        yield SpeechSpan(units[start : start + size])
        start += size


def samples(pieces) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


def assert_same(result: np.ndarray, whole: np.ndarray) -> None:
    assert len(result) == len(whole)
    np.testing.assert_allclose(result, whole, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("expressive", [False, True])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("durations", ["auto", "predict", "keep"])
def test_decode_incremental_equals_decode(vocoders, golden, expressive, keep, durations) -> None:
    units = speech(golden, keep)
    whole = vocoders[expressive].decode(SpeechSpan(units), durations=durations).samples
    pieces = list(vocoders[expressive].decode_incremental(in_pieces(units, [1]), durations=durations))
    assert min(len(piece.samples) for piece in pieces[:-1]) >= 12 * 640
    assert_same(samples(pieces), whole)


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8), split=st.integers(0, 70), style=st.booleans()
)
def test_decode_incremental_in_any_pieces_after_any_prompt(vocoders, golden, sizes, split, style) -> None:
    units = speech(golden)
    prompt, rest = SpeechSpan(units[:split]), units[split:]
    options = {"speaker": 1, "style": 3 if style else None, "prompt": prompt}
    whole = vocoders[True].decode(SpeechSpan(rest), **options).samples
    assert_same(samples(vocoders[True].decode_incremental(in_pieces(rest, sizes), **options)), whole)


def test_decode_incremental_yields_audio_before_the_last_unit(vocoders, golden) -> None:
    units, taken = speech(golden, clip="whole"), []

    def pieces() -> Iterator[SpeechSpan]:
        for unit in units:
            taken.append(unit)
            yield SpeechSpan((unit,))

    first = next(vocoders[True].decode_incremental(pieces(), durations="predict"))
    assert 12 * 640 <= len(first.samples) < 25 * 640
    assert len(taken) < len(units) / 2


@pytest.mark.parametrize(
    "line",
    [
        "[Pi2]" + "[Hu3][Hu4]" * 40,
        "[Hu3][Hu4]" * 40 + "[Pi2]",
        "[Pi2]" + "[Hu3][Hu4]" * 40 + "[St7][Hu3][Hu4]" * 20,
    ],
)
def test_decode_incremental_waits_for_the_first_pitch_and_style(vocoders, line) -> None:
    span = parse_sequence(line).speech[0]
    assert_same(
        samples(vocoders[True].decode_incremental(in_pieces(span.units, [1]))),
        vocoders[True].decode(span).samples,
    )


def test_decode_incremental_ignores_text(vocoders) -> None:
    lines = ["[TEXT]a[SPEECH][Pi2][St1][Hu3]", "[Hu4][TEXT]b", "[Hu4][Hu5]", "[TEXT]c"]
    whole = Sequence.of(span for line in lines for span in parse_sequence(line).spans)
    assert_same(
        samples(vocoders[True].decode_incremental(map(parse_sequence, lines))),
        vocoders[True].decode(whole).samples,
    )


@pytest.mark.parametrize("expressive", [False, True])
@pytest.mark.parametrize("durations", ["predict", "keep"])
@pytest.mark.parametrize("split", [4, 6, 40])
def test_decode_after_speech_is_the_rest_of_the_whole(vocoders, golden, expressive, durations, split) -> None:
    units = speech(golden, keep=durations == "keep")
    whole = vocoders[expressive].decode(SpeechSpan(units), durations=durations).samples
    prompt = Sequence.of([*parse_sequence("[Hu7][TEXT]a word ").spans, SpeechSpan(units[:split])])
    rest = vocoders[expressive].decode(SpeechSpan(units[split:]), durations=durations, prompt=prompt).samples
    hubert = [unit.id for unit in units if unit.kind is Kind.HUBERT]
    before = sum(unit.kind is Kind.HUBERT for unit in units[:split])
    predictor = vocoders[expressive].duration_predictor
    frames = predictor.frames(torch.tensor(hubert)) if durations == "predict" else torch.ones(len(hubert))
    assert_same(rest, whole[640 * int(frames[:before].sum()) :])
    pieces = samples(
        vocoders[expressive].decode_stream(
            SpeechSpan(units[split:]), durations=durations, window=30, prompt=prompt
        )
    )
    assert_same(pieces, rest)


def test_decode_takes_pitch_and_style_from_the_prompt(vocoders) -> None:
    line, prompt = parse_sequence("[Hu3][Hu4]"), parse_sequence("[St7][Pi9][Hu1]")
    whole = vocoders[True].decode(parse_sequence("[St7][Pi9][Hu1][Hu3][Hu4]")).samples
    rest = vocoders[True].decode(line, prompt=prompt).samples
    assert_same(rest, whole[-len(rest) :])


def test_split_windows_has_only_the_context_from_a_prompt(vocoders, golden) -> None:
    units = speech(golden)
    (window,) = vocoders[True].split_windows(SpeechSpan(units[-6:]), prompt=SpeechSpan(units[:-6]))
    assert window.skip_frames == vocoders[True].network.context
    assert window.streams.shape[1] == window.skip_frames + window.keep_frames


@pytest.mark.parametrize("prompt", ["", "some text", "[SPEECH][St1][Pi1][Hu9][TEXT]text"])
def test_decode_after_text_ignores_the_prompt(vocoders, prompt) -> None:
    line = parse_sequence("[St7][Pi9][Hu3][Hu4]")
    result = vocoders[True].decode(line, prompt=parse_sequence(prompt)).samples
    np.testing.assert_array_equal(result, vocoders[True].decode(line).samples)


@pytest.mark.parametrize("continuation", ["", "text alone", "[St1][Pi2]"])
def test_decode_refuses_continuations_without_speech(vocoders, continuation) -> None:
    prompt, line = parse_sequence("[St1][Pi1][Hu9]"), parse_sequence(continuation)
    with pytest.raises(TokenError, match="no speech in what follows the prompt"):
        vocoders[True].decode(line, prompt=prompt)
    with pytest.raises(TokenError, match="no speech in what follows the prompt"):
        list(vocoders[True].decode_incremental([line], prompt=prompt))


def test_durations_auto_is_decided_by_the_continuation_or_with_its_prompt(vocoders, golden) -> None:
    vocoder = vocoders[True]
    plain, kept = (SpeechSpan(speech(golden, keep)) for keep in (False, True))

    def chosen_durations(span: SpeechSpan, prompt: SpeechSpan) -> str:
        auto = vocoder.decode(span, prompt=prompt).samples
        same = [
            durations
            for durations in ("predict", "keep")
            if len(auto) == len(vocoder.decode(span, durations=durations, prompt=prompt).samples)
        ]
        assert len(same) == 1
        return same[0]

    # The continuation decides if it is long enough,
    assert chosen_durations(plain, kept) == "predict"
    assert chosen_durations(kept, plain) == "keep"
    # otherwise both together.
    few = parse_sequence("[Hu1][Hu2][Hu99][Hu4]").speech[0]
    assert chosen_durations(few, kept) == "keep"
    assert chosen_durations(few, plain) == "predict"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["[St1]", "[Pi1]"], "no speech to decode"),
        (["[Hu1]"], "no pitch"),
        (["[St1][Pi1]" + "[Hu1][Hu2]" * 40, "[Hu501]"], r"\[Hu501\] is not a unit"),
        (["[St1][Pi1]" + "[Hu1][Hu2]" * 40, "[Pi64]"], r"\[Pi64\] is not a unit"),
    ],
)
def test_decode_incremental_refuses(vocoders, lines, message) -> None:
    with pytest.raises(TokenError, match=message):
        list(vocoders[True].decode_incremental(map(parse_sequence, lines)))
