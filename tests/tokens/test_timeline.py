import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import (
    RepeatDetector,
    StreamMerger,
    frame_units,
    merge_streams,
    restore_streams,
    run_starts,
    timed_units,
)
from spiritlm_cli.tokens.units import Kind, Unit, Units
from spiritlm_cli.tokens.writer import format_sequence

DATA = Path(__file__).parents[1] / "data"
PUBLISHED = json.loads((DATA / "published_tokens.json").read_text())
STREAMS = json.loads((DATA / "token_cases.json").read_text())["streams"]


def ids(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=np.int64)


def parse_units(line: str) -> tuple[Unit, ...]:
    return tuple(unit for span in parse_sequence(line).speech for unit in span.units)


def tokens_of(span: SpeechSpan) -> str:
    return "".join(map(str, span.units))


stream = st.lists(st.integers(0, 5), min_size=1, max_size=300).map(
    lambda values: np.array(values, dtype=np.int64)
)


def test_merge_streams_equals_the_published_tokenizer() -> None:
    units = {name: ids(text) for name, text in PUBLISHED["units"].items()}
    assert tokens_of(merge_streams(Units(**units))) == PUBLISHED["expressive"]
    assert tokens_of(merge_streams(Units(hubert=units["hubert"]))) == PUBLISHED["base"]


def test_merge_streams_order_of_equal_times() -> None:
    units = Units(hubert=np.arange(26), pitch=np.arange(13), style=np.arange(2))
    kinds = "".join(unit.kind.value[0] for unit in merge_streams(units).units)
    # every second frame coincides with a pitch unit, and frames 0 and 25 with a style unit
    assert kinds == "SPH" + "HPH" * 12 + "SH"


def test_timed_units_keeps_the_first_of_each_run() -> None:
    units = Units(hubert=ids("7 7 8 8 7"), pitch=ids("3 3 3"), style=ids("1 1"))
    timed = timed_units(units)
    assert tokens_of(SpeechSpan(timed.units)) == "[St1][Pi3][Hu7][Hu8][Hu7][St1]"
    assert timed.seconds == pytest.approx([0, 0, 0, 2 / 24.99, 4 / 24.99, 1])
    kept = merge_streams(units, keep_repeats=True)
    assert tokens_of(kept) == "[St1][Pi3][Hu7][Hu7][Pi3][Hu8][Hu8][Pi3][Hu7][St1]"


def test_merge_streams_of_empty_streams() -> None:
    empty = np.empty(0, dtype=np.int64)
    assert merge_streams(Units(empty)).units == ()
    assert merge_streams(Units(empty, empty, empty)).units == ()
    assert len(frame_units(()).hubert) == 0


@given(stream, stream, stream)
def test_restore_streams_inverts_merge_streams(
    hubert: np.ndarray, pitch: np.ndarray, style: np.ndarray
) -> None:
    span = merge_streams(Units(hubert, pitch, style), keep_repeats=True)
    line = format_sequence(Sequence((span,)))
    (read,) = parse_sequence(line).speech
    back = restore_streams(read)
    assert back.hubert.tolist() == hubert.tolist()
    assert back.pitch is not None
    assert back.pitch.tolist() == pitch.tolist()
    assert back.style is not None
    assert back.style.tolist() == style.tolist()


@given(stream, stream, stream)
def test_timed_units_are_sorted(hubert: np.ndarray, pitch: np.ndarray, style: np.ndarray) -> None:
    timed = timed_units(Units(hubert, pitch, style))
    assert (np.diff(timed.seconds) >= 0).all()
    rank = {Kind.STYLE: 0, Kind.PITCH: 1, Kind.HUBERT: 2}
    for here, there, before, after in zip(
        timed.units, timed.units[1:], timed.seconds, timed.seconds[1:], strict=False
    ):
        assert before < after or rank[here.kind] < rank[there.kind]
    for kind in (Kind.HUBERT, Kind.PITCH):
        of_kind = [unit for unit in timed.units if unit.kind is kind]
        assert all(a != b for a, b in itertools.pairwise(of_kind))


def test_restore_streams_without_pitch_and_style() -> None:
    units = restore_streams(SpeechSpan(parse_units("[Hu1][Hu1]")))
    assert units.hubert.tolist() == [1, 1]
    assert units.pitch is None
    assert units.style is None


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case["line"])
def test_frame_units(case: dict[str, str]) -> None:
    frames = frame_units(parse_units(case["line"]))
    assert frames.pitch is not None
    assert frames.style is not None
    assert frames.hubert.tolist() == ids(case["hubert"]).tolist()
    assert frames.pitch.tolist() == ids(case["pitch"]).tolist()
    assert frames.style.tolist() == ids(case["style"]).tolist()


def test_frame_units_before_the_first_pitch_and_style() -> None:
    frames = frame_units(parse_units("[Hu1][Hu2][Pi3][Hu4][St5][Pi6][Pi7][Hu8][St9]"))
    assert frames.pitch is not None
    assert frames.style is not None
    assert frames.hubert.tolist() == [1, 2, 4, 8]
    assert frames.pitch.tolist() == [3, 3, 3, 7]
    assert frames.style.tolist() == [5, 5, 5, 5]


def test_frame_units_with_missing_streams() -> None:
    base = frame_units(parse_units("[Hu1][Hu2]"), default_style=8)
    assert base.pitch is None
    assert base.style is None
    pitched = frame_units(parse_units("[Pi3][Hu1][Hu2]"), default_style=8)
    assert pitched.style is not None
    assert pitched.style.tolist() == [8, 8]
    assert frame_units(parse_units("[Pi3][Hu1]")).style is None
    styled = frame_units(parse_units("[St4][Hu1]"), default_style=8)
    assert styled.pitch is None
    assert styled.style is not None
    assert styled.style.tolist() == [4]


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    keep=st.booleans(),
    seed=st.integers(0, 99),
)
def test_stream_merger_equals_merge_streams(lengths, keep, seed) -> None:
    """Window lengths are multiples of 2 s, as those of the tokenizer."""
    draw = np.random.default_rng(seed)
    parts = [
        Units(draw.integers(0, 3, 50 * n), draw.integers(0, 3, 25 * n), draw.integers(0, 3, 2 * n))
        for n in lengths
    ]
    whole = Units(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("hubert", "pitch", "style"))
    )
    merger = StreamMerger(keep)
    merged = [unit for part in parts for unit in merger.add(part)] + merger.flush()
    assert tuple(merged) == merge_streams(whole, keep).units


def detect(*spans: tuple[int, ...] | str) -> RepeatDetector:
    detector = RepeatDetector()
    for span in spans:
        if isinstance(span, str):
            detector.add(TextSpan(span))
        else:
            detector.add(SpeechSpan(tuple(Unit(Kind.HUBERT, number) for number in span)))
    return detector


def test_repeat_detector_ignores_rare_repeats() -> None:
    assert detect((1, 1, 2, 2, 3)).margin > 0
    assert detect((1, 2), "and", (2, 3)).margin <= 0
    assert detect((*range(30), 29)).margin <= 0
    # as in a noisy recording, and as in a language model's continuation
    assert detect((*range(60), 59, 59, 59)).margin > 0
    assert detect((*range(60), 59, 59)).margin <= 0
    assert detect((7,)).margin <= 0
    assert detect().margin <= 0


def test_repeat_detector_counts_across_pieces_of_a_span() -> None:
    assert detect((1,), (1, 2), (2, 3)).margin == detect((1, 1, 2, 2, 3)).margin > 0


def test_repeat_detector_decides_before_the_end() -> None:
    assert not detect(tuple(range(20))).is_decided
    assert detect(tuple(range(21))).is_decided
    assert not detect((1, 1, 1)).is_decided
    assert detect((1, 1, 1, 1)).is_decided


@given(stream)
def test_run_starts_are_the_first_of_each_run(ids: np.ndarray) -> None:
    starts = run_starts(ids).tolist()
    runs = [len(list(run)) for _, run in itertools.groupby(ids.tolist())]
    assert starts == [0, *itertools.accumulate(runs)][:-1]


def test_run_starts_of_nothing() -> None:
    assert run_starts(np.empty(0, dtype=np.int64)).tolist() == []
