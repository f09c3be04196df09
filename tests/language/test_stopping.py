"""What stops spans that grow."""

from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.language.stopping import StreamingSpeech, StreamingText
from spiritlm_cli.tokens.sequence import Sequence, Span
from spiritlm_cli.tokens.units import Kind, Unit

STOP = (94, 238, 78, 158, 40, 421, 422, 352, 196, 461)


def heard(units: list[Unit], stop: tuple[int, ...] = STOP) -> tuple[list[Unit], bool]:
    """What is left of units that come one by one, and whether they were stopped."""
    growing = StreamingSpeech(stop)
    given: list[Span] = []
    for unit in units:
        growing.add(unit)
        given += growing.ready()
        if growing.stopped:
            break
    stopped = growing.stopped
    given += growing.flush()
    return [unit for span in Sequence.of(given).speech for unit in span.units], stopped


def phonetic(*ids: int) -> list[Unit]:
    return [Unit(Kind.HUBERT, number) for number in ids]


def edit_distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    row = list(range(len(other) + 1))
    for a in one:
        before, row[0] = row[0], row[0] + 1
        for place, b in enumerate(other, 1):
            before, row[place] = row[place], min(before + (a != b), row[place] + 1, row[place - 1] + 1)
    return row[-1]


def test_a_spoken_word_stops_and_is_cut_off() -> None:
    start = [Unit(Kind.STYLE, 3), *phonetic(1, 2), Unit(Kind.PITCH, 4), *phonetic(3)]
    assert heard([*start, *phonetic(*STOP), *phonetic(7)]) == (start, True)
    # said a little differently, with pitch between
    said = [*phonetic(94, 238, 77), Unit(Kind.PITCH, 9), *phonetic(158, 421, 422, 352, 196, 461)]
    assert heard([*start, *said]) == (start, True)
    assert heard(start) == (start, False)
    assert heard([*start, *phonetic(94, 238, 5, 6, 7, 8, 9, 10, 11, 12)])[1] is False
    assert heard(start, ()) == (start, False)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from([1, 2, 3, 4]), max_size=12),
    st.lists(st.sampled_from([1, 2, 3, 4]), min_size=4, max_size=7).map(tuple),
)
def test_it_is_the_nearest_stretch_that_ends_there(ids: list[int], stop: tuple[int, ...]) -> None:
    """Against every stretch, in order of their ends; of those as near, any will do."""
    tolerated = int(0.3 * len(stop))
    expected = None
    for end in range(1, len(ids) + 1):
        near = {start: edit_distance(tuple(ids[start:end]), stop) for start in range(end)}
        if min(near.values()) <= tolerated:
            expected = {start for start, distance in near.items() if distance == min(near.values())}
            break
    kept, stopped = heard(phonetic(*ids), stop)
    if expected is None:
        assert (kept, stopped) == (phonetic(*ids), False)
    else:
        assert stopped
        assert len(kept) in expected


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=3), max_size=3), st.integers(1, 3))
def test_text_stops_at_the_first_of_its_stops(text: str, stops: list[str], step: int) -> None:
    growing = StreamingText(tuple(stops), sentence=False)
    content = text.encode()
    given = []
    for at in range(0, len(content), step):
        growing.add(content[at : at + step])
        given += growing.ready()
        if growing.stopped:
            break
    stopped = growing.stopped
    given += growing.flush()
    found = Sequence.of(given).text
    cuts = [place for stop in stops if (place := text.find(stop)) >= 0]
    assert stopped == bool(cuts)
    if not cuts:
        assert found == text
    else:
        # several may come at once; the one that is complete first may not be the one that begins first
        assert text.startswith(found)
        assert len(found) in cuts
