"""The sound of lines that grow, and of what follows a prompt, against that of the whole."""

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

# Sums are rounded in another order where a convolution is of another length.
ROUNDING = 1e-6


@pytest.fixture(scope="module")
def vocoders(release_tree: Path) -> dict[bool, Vocoder]:
    return {expressive: Vocoder.load(str(release_tree), expressive, "cpu") for expressive in (False, True)}


def speech(golden, keep: bool = False, clip: str = "medium") -> tuple[Unit, ...]:
    ids = {name: np.array(ids.split(), dtype=np.int64) for name, ids in golden[clip]["units"].items()}
    return merge_streams(Units(**ids), keep_repeats=keep).units


def in_pieces(units: tuple[Unit, ...], sizes: list[int]) -> Iterator[SpeechSpan]:
    start = 0
    for place in range(len(units)):
        size = sizes[place % len(sizes)]
        yield SpeechSpan(units[start : start + size])
        start += size


def samples(pieces) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


def assert_same(found: np.ndarray, whole: np.ndarray) -> None:
    assert len(found) == len(whole)
    np.testing.assert_allclose(found, whole, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("expressive", [False, True])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("durations", ["auto", "predict", "keep"])
def test_a_growing_line_is_the_whole(vocoders, golden, expressive, keep, durations) -> None:
    units = speech(golden, keep)
    whole = vocoders[expressive].decode(SpeechSpan(units), durations=durations).samples
    pieces = list(vocoders[expressive].decode_incremental(in_pieces(units, [1]), durations=durations))
    assert min(len(piece.samples) for piece in pieces[:-1]) >= 12 * 640
    assert_same(samples(pieces), whole)


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8), split=st.integers(0, 70), style=st.booleans()
)
def test_in_any_pieces_after_any_prompt(vocoders, golden, sizes, split, style) -> None:
    units = speech(golden)
    prompt, rest = SpeechSpan(units[:split]), units[split:]
    options = {"speaker": 1, "style": 3 if style else None, "prompt": prompt}
    whole = vocoders[True].decode(SpeechSpan(rest), **options).samples
    assert_same(samples(vocoders[True].decode_incremental(in_pieces(rest, sizes), **options)), whole)


def test_the_first_sound_comes_before_the_last_unit(vocoders, golden) -> None:
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
def test_units_before_the_first_pitch_or_style_wait_for_it(vocoders, line) -> None:
    span = parse_sequence(line).speech[0]
    assert_same(
        samples(vocoders[True].decode_incremental(in_pieces(span.units, [1]))),
        vocoders[True].decode(span).samples,
    )


def test_text_between_is_passed_over(vocoders) -> None:
    lines = ["[TEXT]a[SPEECH][Pi2][St1][Hu3]", "[Hu4][TEXT]b", "[Hu4][Hu5]", "[TEXT]c"]
    whole = Sequence.of(span for line in lines for span in parse_sequence(line).spans)
    assert_same(
        samples(vocoders[True].decode_incremental(map(parse_sequence, lines))),
        vocoders[True].decode(whole).samples,
    )


@pytest.mark.parametrize("expressive", [False, True])
@pytest.mark.parametrize("durations", ["predict", "keep"])
@pytest.mark.parametrize("split", [4, 6, 40])
def test_after_speech_it_is_the_rest_of_the_whole(vocoders, golden, expressive, durations, split) -> None:
    units = speech(golden, keep=durations == "keep")
    whole = vocoders[expressive].decode(SpeechSpan(units), durations=durations).samples
    prompt = Sequence.of([*parse_sequence("[Hu7][TEXT]a word ").spans, SpeechSpan(units[:split])])
    rest = vocoders[expressive].decode(SpeechSpan(units[split:]), durations=durations, prompt=prompt).samples
    hubert = [unit.id for unit in units if unit.kind is Kind.HUBERT]
    before = sum(unit.kind is Kind.HUBERT for unit in units[:split])
    timing = vocoders[expressive].duration_predictor
    lasts = timing.frames(torch.tensor(hubert)) if durations == "predict" else torch.ones(len(hubert))
    assert_same(rest, whole[640 * int(lasts[:before].sum()) :])
    pieces = samples(
        vocoders[expressive].decode_stream(
            SpeechSpan(units[split:]), durations=durations, window=30, prompt=prompt
        )
    )
    assert_same(pieces, rest)


def test_pitch_and_style_carry_over(vocoders) -> None:
    line, prompt = parse_sequence("[Hu3][Hu4]"), parse_sequence("[St7][Pi9][Hu1]")
    whole = vocoders[True].decode(parse_sequence("[St7][Pi9][Hu1][Hu3][Hu4]")).samples
    rest = vocoders[True].decode(line, prompt=prompt).samples
    assert_same(rest, whole[-len(rest) :])


def test_not_all_of_the_prompt_is_computed(vocoders, golden) -> None:
    units = speech(golden)
    (window,) = vocoders[True].split_windows(SpeechSpan(units[-6:]), prompt=SpeechSpan(units[:-6]))
    assert window.skip_frames == vocoders[True].network.context
    assert window.streams.shape[1] == window.skip_frames + window.keep_frames


@pytest.mark.parametrize("prompt", ["", "some text", "[SPEECH][St1][Pi1][Hu9][TEXT]text"])
def test_after_text_it_is_spoken_by_itself(vocoders, prompt) -> None:
    line = parse_sequence("[St7][Pi9][Hu3][Hu4]")
    found = vocoders[True].decode(line, prompt=parse_sequence(prompt)).samples
    np.testing.assert_array_equal(found, vocoders[True].decode(line).samples)


@pytest.mark.parametrize("heard", ["", "text alone", "[St1][Pi2]"])
def test_nothing_to_hear_after_a_prompt(vocoders, heard) -> None:
    prompt, line = parse_sequence("[St1][Pi1][Hu9]"), parse_sequence(heard)
    with pytest.raises(TokenError, match="no speech in what follows the prompt"):
        vocoders[True].decode(line, prompt=prompt)
    with pytest.raises(TokenError, match="no speech in what follows the prompt"):
        list(vocoders[True].decode_incremental([line], prompt=prompt))


def test_whose_repeats_decide_how_long_units_last(vocoders, golden) -> None:
    vocoder = vocoders[True]
    plain, kept = (SpeechSpan(speech(golden, keep)) for keep in (False, True))

    def as_auto(span: SpeechSpan, prompt: SpeechSpan) -> str:
        found = vocoder.decode(span, prompt=prompt).samples
        same = [
            named
            for named in ("predict", "keep")
            if len(found) == len(vocoder.decode(span, durations=named, prompt=prompt).samples)
        ]
        assert len(same) == 1
        return same[0]

    # what is heard, where it is enough to tell
    assert as_auto(plain, kept) == "predict"
    assert as_auto(kept, plain) == "keep"
    # and else the prompt too
    few = parse_sequence("[Hu1][Hu2][Hu99][Hu4]").speech[0]
    assert as_auto(few, kept) == "keep"
    assert as_auto(few, plain) == "predict"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["[St1]", "[Pi1]"], "no speech to decode"),
        (["[Hu1]"], "no pitch"),
        (["[St1][Pi1]" + "[Hu1][Hu2]" * 40, "[Hu501]"], r"\[Hu501\] is not a unit"),
        (["[St1][Pi1]" + "[Hu1][Hu2]" * 40, "[Pi64]"], r"\[Pi64\] is not a unit"),
    ],
)
def test_lines_it_can_not_speak(vocoders, lines, message) -> None:
    with pytest.raises(TokenError, match=message):
        list(vocoders[True].decode_incremental(map(parse_sequence, lines)))
