"""Compare lines parsed as they arrive with the same lines parsed whole."""

import io
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.reader import BadLine, parse_line, read_lines
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.streaming import StreamingLine, read_chunks, stream_lines

USUAL = ("[SPEECH]", "[TEXT]", "[Hu1]", "[Pi2]", "[Hu22][Hu4]", "ab ")
RARE = (
    *(
        "[Speech]",
        "[St3]",
        "[Hu1",
        "[",
        "]",
        "[]",
        "\\",
        "\\[",
        "\\\\",
        "é",
        "🎈",
        "\t",
        "\r",
        "\ufeff",
        "#spiritlm ",
    ),
    *("\n", "\na\t[Hu3]", "[Hu01]", "[St-1]", "\0"),
)
fragments = st.sampled_from([*[fragment.encode() for fragment in (*USUAL * 10, *RARE)], b"\xff"])
contents = st.lists(fragments, min_size=8, max_size=30).map(b"".join)


@st.composite
def chunk_lists(draw: st.DrawFn) -> list[bytes]:
    """Cut bytes into chunks of any length, with empty chunks between some of them."""
    content = draw(contents)
    pieces = []
    while content:
        size = draw(st.integers(1, 20))
        pieces += [content[:size], *draw(st.sampled_from([[b""], []]))]
        content = content[size:]
    return pieces


def concatenate(sequences: list[Sequence]) -> Sequence:
    return Sequence.of(span for sequence in sequences for span in sequence.spans)


def same(item: object, wanted: object) -> bool:
    if isinstance(item, BadLine) and isinstance(wanted, BadLine):
        return (item.id, str(item.error)) == (wanted.id, str(wanted.error))
    return item == wanted and (not isinstance(item, Line) or item.prompt == wanted.prompt)


@settings(max_examples=400)
@given(chunk_lists())
def test_stream_lines_equals_read_lines(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    whole = read_lines(io.BytesIO(content))
    streamed = stream_lines(pieces)
    while True:
        try:
            wanted = next(whole, None)
        except TokenError as error:  # a header
            with pytest.raises(TokenError, match=f"^{re.escape(str(error))}$"):
                next(streamed)
            return
        item = next(streamed, None)
        if not isinstance(item, StreamingLine):
            assert same(item, wanted)
        elif isinstance(wanted, BadLine):
            with pytest.raises(TokenError) as raised:
                list(item)
            assert str(raised.value) == str(wanted.error)
        elif wanted.id != item.id:
            with pytest.raises(TokenError, match="a tab after units"):
                list(item)
        else:
            assert concatenate([piece.sequence for piece in item]).speech == wanted.sequence.speech
            assert same(item.read_all(), wanted)
        if item is None:
            return


@settings(max_examples=400)
@given(chunk_lists())
def test_streaming_line_split_equals_line_split(pieces: list[bytes]) -> None:
    whole = [line for line in read_lines(io.BytesIO(b"a\t[Hu1]\n" + b"".join(pieces)))]
    for item, wanted in zip(stream_lines([b"a\t[Hu1]\n", *pieces]), whole, strict=True):
        if isinstance(item, StreamingLine):
            try:
                prompt, continuation = item.split()
                split = prompt, concatenate(list(continuation)).speech
            except TokenError:
                continue
            assert isinstance(wanted, Line)
            assert split == (wanted.split()[0], wanted.split()[1].speech)


def test_streaming_line_yields_units_before_the_line_ends() -> None:
    arrived: list[bytes] = []

    def content():
        for piece in (b"a\t[SPEECH][Hu1]", b"", b"[Hu2][H", b"u3", b"]", b"\n"):
            arrived.append(piece)
            yield piece

    line = next(stream_lines(content()))
    assert isinstance(line, StreamingLine)
    assert (line.id, arrived[-1]) == ("a", b"")
    pieces = iter(line)
    for text, last in (("[Hu1]", b""), ("[Hu2]", b"[Hu2][H"), ("[Hu3]", b"]")):
        assert (next(pieces).sequence, arrived[-1]) == (parse_line(text).sequence, last)
    assert list(pieces) == []
    assert line.read_all() == parse_line("a\t[Hu1][Hu2][Hu3]")


def test_complete_lines_are_not_streaming_lines() -> None:
    lines = list(stream_lines([b"[Hu1]\n", b"", b"[Hu2]\n[Hu", b"3]", b"\nsome text", b"", b" more", b""]))
    assert lines == [parse_line(text) for text in ("[Hu1]", "[Hu2]", "[Hu3]", "some text more")]


def test_unread_rest_of_a_streaming_line_is_skipped() -> None:
    first, second = stream_lines([b"[Hu1]", b"", b"[Hu2]", b"[Hu3]\n[Hu4]"])
    assert isinstance(first, StreamingLine)
    assert first.read_all() == parse_line("[Hu1][Hu2][Hu3]")
    assert second == parse_line("[Hu4]")


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (b"[Hu07][Hu8]\n", r"line 2, column 8: '\[Hu07\]' is not a unit"),
        (b"\xff\n", "line 2, column 8: byte 0xff is not UTF-8"),
        (b"[Hu12", r"line 2, column 8: '\[Hu12' is not a unit"),
        (b"\t[Hu3]\n", "line 2, column 1: a tab after units"),
    ],
)
def test_streaming_line_raises_at_the_end_of_a_malformed_line(rest: bytes, message: str) -> None:
    lines = stream_lines([b"\na\t[Hu1]" if not rest.startswith(b"\t") else b"\n[Hu1]", b"", rest])
    next(lines)
    pieces = iter(next(lines))
    assert next(pieces).sequence == parse_line("[Hu1]").sequence
    with pytest.raises(TokenError, match=message):
        list(pieces)


def test_split_returns_at_the_repeated_marker() -> None:
    read: list[bytes] = []

    def content():
        for piece in (b"[TEXT]a[SPEECH][Hu1]", b"", b"[SPEECH]", b"[Hu2]", b"[Hu3]", b"\n"):
            read.append(piece)
            yield piece

    line = next(stream_lines(content()))
    prompt, continuation = line.split()
    assert (prompt, read[-1]) == (parse_line("[TEXT]a[SPEECH][Hu1]").sequence, b"[SPEECH]")
    assert (next(continuation), next(continuation)) == (Sequence(), parse_line("[Hu2]").sequence)
    assert read[-1] == b"[Hu2]"
    assert concatenate(list(continuation)) == parse_line("[Hu3]").sequence


def test_split_without_a_repeated_marker() -> None:
    (split,) = (line.split() for line in stream_lines([b"[TEXT]a[SPEECH][Hu1]", b"", b"[Hu2]\n"]))
    assert (split[0], concatenate(list(split[1]))) == parse_line("[TEXT]a[SPEECH][Hu1][Hu2]").split()


def test_split_raises_if_two_markers_are_repeated() -> None:
    line = next(stream_lines([b"[Hu1][SPEECH][Hu2]", b"", b"[SPEECH][Hu3]\n"]))
    with pytest.raises(TokenError, match="repeated in two places"):
        list(line.split()[1])


def test_read_chunks_of_a_pipe() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stream:
        content = read_chunks(stream)
        assert next(content) == b""
        os.write(write, b"abc")
        assert next(content) == b"abc"
        assert next(content) == b""
        os.write(write, b"def")
        os.close(write)
        assert list(content) == [b"def"]


def test_read_chunks_of_an_in_memory_stream() -> None:
    assert list(read_chunks(io.BytesIO(b"abc"))) == [b"abc"]


def test_a_line_that_is_too_long_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spiritlm_cli.text_files.MAX_LINE", 20)
    first, long, last = stream_lines([b"a\t[Hu1]\nb\t[Hu1]", *[b"[Hu2]" * 9] * 99, b"\nc\t[Hu3]\n"])
    assert isinstance(first, Line)
    assert isinstance(long, BadLine)
    assert (long.id, str(long.error)[:36]) == ("b", "line 2, column 1: longer than 0 MiB,")
    assert last == parse_line("c\t[Hu3]")
