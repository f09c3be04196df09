import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.reader import parse_header, parse_line, parse_sequence, read_lines
from spiritlm_cli.tokens.sequence import Header, Line, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.tokens.writer import format_header, format_line, format_pieces, format_sequence

units = st.builds(Unit, st.sampled_from(Kind), st.integers(0, 600) | st.integers(0, 10**18 - 1))
speech = st.builds(SpeechSpan, st.lists(units, max_size=20).map(tuple))
# fragments of the format, so that texts resemble it more often than by chance
pieces = st.sampled_from(
    ["[", "]", "\\", "\n", "\t", "\r", "n", "Hu", "1", "[Text]", "[SPEECH]", "[Hu1]", "\u2028", "\x85"]
)
texts = st.text() | st.lists(pieces).map("".join)
text = st.builds(TextSpan, texts.map(lambda value: value.replace("\0", "")))
sequences = st.lists(text | speech).map(Sequence.of)
ids = st.text(st.characters(exclude_characters="\t\n\r\0", exclude_categories=["Cs"]), min_size=1)


@given(sequences)
def test_format_sequence_round_trip(sequence: Sequence) -> None:
    assert parse_sequence(format_sequence(sequence)) == sequence


@given(st.lists(st.builds(Line, sequences, st.none() | ids), max_size=4))
def test_format_line_round_trip_through_read_lines(lines: list[Line]) -> None:
    # an id in the first line could begin with a byte-order mark, which is removed
    lines = [Line(Sequence()), *lines]
    stream = io.BytesIO("".join(format_line(line) + "\n" for line in lines).encode())
    assert list(read_lines(stream)) == lines


@given(sequences, sequences, st.none() | ids)
def test_format_line_round_trip_of_prompts(prompt: Sequence, rest: Sequence, name: str | None) -> None:
    whole = Sequence.of((*prompt.spans, *rest.spans))
    written = format_line(Line(whole, name, prompt=prompt))
    line = parse_line(written)
    assert line == Line(whole, name)
    assert line.split() == (prompt, rest)


def test_format_line_repeats_a_marker_only_if_needed() -> None:
    hello, units = TextSpan("hello"), SpeechSpan((Unit(Kind.HUBERT, 3),))
    more = SpeechSpan((Unit(Kind.HUBERT, 4),))
    written = {
        "[TEXT]hello[SPEECH][Hu3]": ([hello], [units]),
        "[SPEECH][Hu3][SPEECH][Hu4]": ([units], [more]),
        "[TEXT]hello[TEXT]": ([hello], []),
        "[TEXT]hello[TEXT][SPEECH][Hu3][TEXT]hello": ([hello], [units, hello]),
        "[TEXT][TEXT]hello[SPEECH][Hu3]": ([], [hello, units]),
        "[SPEECH][Hu3]": ([], [units]),
    }
    for expected, (prompt, rest) in written.items():
        line = Line(Sequence.of((*prompt, *rest)), prompt=Sequence(tuple(prompt)))
        assert format_line(line) == expected
    with pytest.raises(ValueError, match="does not begin"):
        format_line(Line(Sequence((hello,)), prompt=Sequence((units,))))


@given(sequences, st.none() | sequences)
def test_format_pieces_equals_format_sequence(sequence: Sequence, prompt: Sequence | None) -> None:
    pieces: list[TextSpan | SpeechSpan] = []
    for span in sequence.spans:
        if isinstance(span, TextSpan):
            pieces += map(TextSpan, span.text)
        else:
            pieces += (SpeechSpan((unit,)) for unit in span.units)
    written = "".join(format_pieces(pieces, prompt))
    if prompt is None:
        assert written == format_sequence(sequence)
    else:
        line = parse_line(written)
        assert line.split() == (prompt, sequence)
        assert line.prompt == (prompt if written else None)


@given(sequences)
def test_canonical_form_is_unique(sequence: Sequence) -> None:
    written = format_sequence(sequence)
    assert format_sequence(parse_sequence(written)) == written
    assert not set("\n\r\t") & set(written)


@pytest.mark.parametrize(
    ("sequence", "written"),
    [
        (Sequence(), ""),
        (Sequence((TextSpan(" a  "),)), "[TEXT] a  "),
        (Sequence((TextSpan("a\\"), SpeechSpan((Unit(Kind.STYLE, 3),)))), r"[TEXT]a\\[SPEECH][St3]"),
        (Sequence((TextSpan("[Text]]\r\n\t"),)), r"[TEXT]\[Text]]\r\n\t"),
        (Sequence((TextSpan("\\n"),)), r"[TEXT]\\n"),
    ],
)
def test_canonical_form(sequence: Sequence, written: str) -> None:
    assert format_sequence(sequence) == written


def test_format_line_with_ids() -> None:
    assert format_line(Line(Sequence(), "a b/c.wav")) == "a b/c.wav\t"
    assert format_line(Line(Sequence((TextSpan("y"),)), "x")) == "x\t[TEXT]y"
    assert parse_line("x\t[TEXT]y\r\n") == Line(Sequence((TextSpan("y"),)), "x")


def test_numpy_ids_are_formatted_as_integers() -> None:
    span = SpeechSpan((Unit(Kind.HUBERT, np.int64(7)), Unit(Kind.HUBERT, np.int64(70000))))  # type: ignore[arg-type]
    assert format_sequence(Sequence((span,))) == "[SPEECH][Hu7][Hu70000]"


@pytest.mark.parametrize("bad", ["\0", "a\ud800"])
def test_format_sequence_refuses_text(bad: str) -> None:
    with pytest.raises(TokenError, match="can't hold"):
        format_sequence(Sequence((TextSpan(bad),)))


@pytest.mark.parametrize("unit_id", [-1, 10**18])
def test_format_sequence_refuses_unit_ids(unit_id: int) -> None:
    with pytest.raises(TokenError, match=str(unit_id)):
        format_sequence(Sequence((SpeechSpan((Unit(Kind.HUBERT, unit_id),)),)))


@pytest.mark.parametrize("bad", ["", "a\tb", "a\nb", "a\rb", "\0", "\udcff"])
def test_format_line_refuses_ids(bad: str) -> None:
    with pytest.raises(TokenError, match="id can't"):
        format_line(Line(Sequence(), bad))


def test_format_header_round_trip() -> None:
    for header in (Header("nano", "0af3"), Header("my models/a b=c", "9")):
        assert parse_header(format_header(header)) == header
    assert format_header(Header("nano", "0af3")) == "#spiritlm 1 model=nano tokenizer=0af3"


@pytest.mark.parametrize(
    "header", [Header("", "a"), Header("a\nb", "c"), Header("a", "b c"), Header("a", "")]
)
def test_format_header_refuses_names(header: Header) -> None:
    with pytest.raises(TokenError, match="a header can't hold"):
        format_header(header)


def test_format_header_says_what_to_do_about_the_name_of_a_folder() -> None:
    with pytest.raises(TokenError, match=r"^'a\\nb': .*rename its folder, or leave out --header$"):
        format_header(Header("a\nb", "0af3"))
