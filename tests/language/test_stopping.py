"""Stop conditions of spans that arrive piece by piece."""

from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.language.stopping import StreamingSpeech, StreamingText
from spiritlm_cli.tokens.sequence import Sequence, Span
from spiritlm_cli.tokens.units import Kind, Unit

STOP = (94, 238, 78, 158, 40, 421, 422, 352, 196, 461)


def stream_units(units: list[Unit], stop: tuple[int, ...] = STOP) -> tuple[list[Unit], bool]:
    """Return the units that are kept, and whether the stop word was reached."""
    streaming = StreamingSpeech(stop)
    spans: list[Span] = []
    for unit in units:
        streaming.add(unit)
        spans += streaming.ready()
        if streaming.stopped:
            break
    stopped = streaming.stopped
    spans += streaming.flush()
    return [unit for span in Sequence.of(spans).speech for unit in span.units], stopped


def phonetic(*ids: int) -> list[Unit]:
    return [Unit(Kind.HUBERT, unit_id) for unit_id in ids]


def edit_distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    row = list(range(len(other) + 1))
    for a in one:
        before, row[0] = row[0], row[0] + 1
        for place, b in enumerate(other, 1):
            before, row[place] = row[place], min(before + (a != b), row[place] + 1, row[place - 1] + 1)
    return row[-1]


def test_a_stop_word_ends_speech_and_is_cut_off() -> None:
    start = [Unit(Kind.STYLE, 3), *phonetic(1, 2), Unit(Kind.PITCH, 4), *phonetic(3)]
    assert stream_units([*start, *phonetic(*STOP), *phonetic(7)]) == (start, True)
    # another pronunciation, with a pitch unit within
    said = [*phonetic(94, 238, 77), Unit(Kind.PITCH, 9), *phonetic(158, 421, 422, 352, 196, 461)]
    assert stream_units([*start, *said]) == (start, True)
    assert stream_units(start) == (start, False)
    assert stream_units([*start, *phonetic(94, 238, 5, 6, 7, 8, 9, 10, 11, 12)])[1] is False
    assert stream_units(start, ()) == (start, False)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from([1, 2, 3, 4]), max_size=12),
    st.lists(st.sampled_from([1, 2, 3, 4]), min_size=4, max_size=7).map(tuple),
)
def test_a_stop_word_is_the_nearest_stretch_that_ends_here(ids: list[int], stop: tuple[int, ...]) -> None:
    """Compared with all stretches in the order of their ends; of equally near ones, any is right."""
    max_distance = int(0.3 * len(stop))
    expected = None
    for end in range(1, len(ids) + 1):
        near = {start: edit_distance(tuple(ids[start:end]), stop) for start in range(end)}
        if min(near.values()) <= max_distance:
            expected = {start for start, distance in near.items() if distance == min(near.values())}
            break
    kept, stopped = stream_units(phonetic(*ids), stop)
    if expected is None:
        assert (kept, stopped) == (phonetic(*ids), False)
    else:
        assert stopped
        assert len(kept) in expected


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=3), max_size=3), st.integers(1, 3))
def test_text_ends_before_its_first_stop_text(text: str, stops: list[str], step: int) -> None:
    streaming = StreamingText(tuple(stops), sentence=False)
    content = text.encode()
    spans: list[Span] = []
    for at in range(0, len(content), step):
        streaming.add(content[at : at + step])
        spans += streaming.ready()
        if streaming.stopped:
            break
    stopped = streaming.stopped
    spans += streaming.flush()
    kept = Sequence.of(spans).text
    cuts = [start for stop in stops if (start := text.find(stop)) >= 0]
    assert stopped == bool(cuts)
    if not cuts:
        assert kept == text
    else:
        # one piece may complete several; the first to be complete need not be the first to begin
        assert text.startswith(kept)
        assert len(kept) in cuts
