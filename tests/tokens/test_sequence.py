import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan, TextSpan, modality
from spiritlm_cli.tokens.units import Kind, Unit

ONE = Unit(Kind.HUBERT, 1)


def test_of_drops_empty_spans_and_joins_neighbors() -> None:
    spans = [
        TextSpan("a"),
        SpeechSpan(()),
        TextSpan("b"),
        SpeechSpan((ONE,)),
        TextSpan(""),
        SpeechSpan((ONE, ONE)),
    ]
    assert Sequence.of(spans) == Sequence((TextSpan("ab"), SpeechSpan((ONE, ONE, ONE))))


def test_speech_and_text() -> None:
    sequence = Sequence.of([TextSpan("a"), SpeechSpan((ONE,)), TextSpan("b")])
    assert sequence.text == "ab"
    assert sequence.speech == (SpeechSpan((ONE,)),)


def test_ends_in() -> None:
    assert Sequence().ends_in is None
    assert (
        Sequence.of([TextSpan("a"), SpeechSpan((ONE,))]).ends_in == modality(SpeechSpan((ONE,))) == "speech"
    )
    assert Sequence.of([TextSpan("a")]).ends_in == modality(TextSpan("a")) == "text"


spans = st.builds(TextSpan, st.text(max_size=3)) | st.builds(
    SpeechSpan, st.lists(st.builds(Unit, st.sampled_from(Kind), st.integers(0, 3)), max_size=3).map(tuple)
)
sequences = st.lists(spans, max_size=4).map(Sequence.of)


@given(sequences, sequences)
def test_after_returns_the_rest(start: Sequence, rest: Sequence) -> None:
    whole = Sequence.of((*start.spans, *rest.spans))
    assert whole.after(start) == rest


@given(sequences, sequences)
def test_after_raises_if_the_start_differs(sequence: Sequence, start: Sequence) -> None:
    try:
        rest = sequence.after(start)
    except ValueError:
        assert start.spans
    else:
        assert Sequence.of((*start.spans, *rest.spans)) == sequence


@pytest.mark.parametrize(
    ("whole", "start"),
    [
        ([TextSpan("ab")], [TextSpan("b")]),
        ([TextSpan("ab")], [TextSpan("abc")]),
        ([TextSpan("ab")], [SpeechSpan((ONE,))]),
        ([TextSpan("ab")], [TextSpan("ab"), SpeechSpan((ONE,))]),
        ([], [TextSpan("a")]),
    ],
)
def test_after_of_another_start(whole: list[TextSpan], start: list[TextSpan]) -> None:
    with pytest.raises(ValueError, match="does not begin with the given start"):
        Sequence.of(whole).after(Sequence.of(start))


def test_split_at_the_prompt_or_at_the_last_span() -> None:
    prompt, rest = Sequence.of([TextSpan("a")]), Sequence.of([TextSpan("b"), SpeechSpan((ONE,))])
    whole = Sequence.of((*prompt.spans, *rest.spans))
    assert Line(whole, prompt=prompt).split() == (prompt, rest)
    assert Line(whole).split() == (Sequence.of([TextSpan("ab")]), Sequence.of([SpeechSpan((ONE,))]))
    assert Line(Sequence()).split() == (Sequence(), Sequence())


def test_lines_compare_by_id_and_sequence() -> None:
    sequence = Sequence.of([TextSpan("a")])
    assert Line(sequence, "x", opens="speech", prompt=sequence) == Line(sequence, "x")
    assert Line(sequence, "x") != Line(sequence)
