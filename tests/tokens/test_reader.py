import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.errors import TokenError
from spiritlm_cli.text_files import is_audio
from spiritlm_cli.tokens.reader import BadLine, parse_header, parse_line, parse_sequence, read_lines
from spiritlm_cli.tokens.sequence import Header, Line, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit

CASES = json.loads((Path(__file__).parents[1] / "data" / "token_cases.json").read_text(encoding="utf-8"))


def plain(sequence: Sequence) -> list[list[object]]:
    """Return a sequence in the notation of the cases."""
    return [
        ["text", span.text]
        if isinstance(span, TextSpan)
        else ["speech", [f"{unit.kind.value}{unit.id}" for unit in span.units]]
        for span in sequence.spans
    ]


def hubert(*ids: int) -> SpeechSpan:
    return SpeechSpan(tuple(Unit(Kind.HUBERT, unit_id) for unit_id in ids))


@pytest.mark.parametrize("case", CASES["lines"], ids=lambda case: case["line"])
def test_parse_line(case: dict[str, object]) -> None:
    line = parse_line(str(case["line"]))
    assert line.id is None
    assert plain(line.sequence) == case["spans"]


@pytest.mark.parametrize("case", CASES["with_ids"], ids=lambda case: case["line"])
def test_parse_line_with_id(case: dict[str, object]) -> None:
    line = parse_line(str(case["line"]))
    assert line.id == case["id"]
    assert plain(line.sequence) == case["spans"]


@pytest.mark.parametrize(
    ("text", "opens", "prompt"),
    [
        ("[TEXT]a [SPEECH]", "speech", None),
        ("[SPEECH][Hu1][Text]", "text", None),
        ("[SPEECH]", "speech", None),
        ("[TEXT]a[TEXT]", None, Sequence((TextSpan("a"),))),
        ("[TEXT]a", None, None),
        ("a[TEXT]b", None, Sequence((TextSpan("a"),))),
        ("[Hu1][SPEECH][Hu2][TEXT]b", None, Sequence((hubert(1),))),
        ("[TEXT]a[SPEECH][TEXT]", None, None),
        ("[TEXT]a[SPEECH]b", None, None),
        ("", None, None),
    ],
)
def test_parse_line_opens_and_prompt(text: str, opens: str | None, prompt: Sequence | None) -> None:
    line = parse_line(text)
    assert (line.opens, line.prompt) == (opens, prompt)


@pytest.mark.parametrize("text", CASES["errors"])
def test_malformed_units_are_reported(text: str) -> None:
    bad = text[text.rindex("[") :]
    with pytest.raises(TokenError) as caught:
        parse_line(text, line=7)
    column = text.index(bad) + 1
    assert str(caught.value).startswith(f"line 7, column {column}: {bad!a} is not a unit")


@pytest.mark.parametrize("kind", ["Hu", "Pi", "St"])
@pytest.mark.parametrize("rest", ["]", "-1]", "+1]", "00]", "1", "1 ]", "1.5]", "1[Hu2]", "9" * 19 + "]"])
def test_unit_like_tokens_are_refused(kind: str, rest: str) -> None:
    with pytest.raises(TokenError, match=r"column 6: .* is not a unit"):
        parse_sequence(f"[Hu0][{kind}{rest}")


@pytest.mark.parametrize(
    "text", ["[Hu", "[Hu 1]", "[hu1]", "[HU1]", "[Hux1]", "[text]", "[TEXT", "[Hu\u0661]", "[]"]
)
def test_other_brackets_are_text(text: str) -> None:
    assert parse_sequence(text) == Sequence((TextSpan(text),))


def test_error_column_counts_characters_of_the_line() -> None:
    with pytest.raises(TokenError, match=r"line 3, column 10: '\[Hu\]'"):
        parse_line("clé\t[TEXT][Hu]".replace("[TEXT]", "你好 \\\\"), line=3)


def test_nul_and_invalid_ids_are_refused() -> None:
    with pytest.raises(TokenError, match="line 1, column 3: a NUL"):
        parse_line("ab\0")
    with pytest.raises(TokenError, match="line 1, column 5: a NUL"):
        parse_line("id\ta\0")
    with pytest.raises(TokenError, match=r"column 2: .* in an id"):
        parse_line("a\0b\tc")
    with pytest.raises(TokenError, match="column 1: nothing before the tab"):
        parse_line("\t[SPEECH][Hu1]")


def test_parse_sequence_escapes() -> None:
    assert parse_sequence(r"\\n\n\[Hu1]\x\\").text == "\\n\n[Hu1]\\x\\"
    assert parse_sequence("a\\").text == "a\\"
    assert parse_sequence(r"[TEXT]a\\[SPEECH][Hu1]") == Sequence((TextSpan("a\\"), hubert(1)))
    assert parse_sequence(r"[TEXT]a\[SPEECH][Hu1]") == Sequence((TextSpan("a[SPEECH]"), hubert(1)))


def test_text_is_verbatim_around_units() -> None:
    assert plain(parse_sequence(" [Hu1]  [Hu2] ")) == [
        ["text", " "],
        ["speech", ["Hu1"]],
        ["text", "  "],
        ["speech", ["Hu2"]],
        ["text", " "],
    ]


def test_many_units_are_one_span() -> None:
    ids = [index % 501 for index in range(5000)]
    assert parse_sequence("".join(f"[Hu{unit_id}]" for unit_id in ids)) == Sequence((hubert(*ids),))


def test_units_of_any_id_are_parsed() -> None:
    assert parse_sequence("[Hu501][Hu123456789]") == Sequence((hubert(501, 123456789),))


@given(st.text(), st.integers(1, 9))
def test_any_text_is_parsed_or_refused_with_a_position(text: str, line: int) -> None:
    try:
        sequence = parse_line(text, line).sequence
    except TokenError as error:
        assert str(error).startswith(f"line {line}, column ")  # noqa: PT017
    else:
        assert Sequence.of(sequence.spans) == sequence


def read(data: bytes) -> list[Header | Line | BadLine]:
    return list(read_lines(io.BytesIO(data)))


@pytest.mark.parametrize(
    "data",
    [b"a\nb\n", b"a\nb", b"a\r\nb\r\n", b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfa\r\nb"],
)
def test_read_lines_line_ends_and_byte_order_mark(data: bytes) -> None:
    assert read(data) == [Line(Sequence((TextSpan("a"),))), Line(Sequence((TextSpan("b"),)))]


def test_read_lines_of_empty_streams_and_lines() -> None:
    assert read(b"") == []
    assert read(b"\xef\xbb\xbf") == []
    assert read(b"\n\r\nid\t\n") == [Line(Sequence()), Line(Sequence()), Line(Sequence(), "id")]


def test_read_lines_splits_at_line_feeds_only() -> None:
    text = "a\x0b\x0c\x1c\x85\u2028\u2029b"
    assert read(f"[TEXT]{text}\n".encode()) == [Line(Sequence((TextSpan(text),)))]


def test_read_lines_yields_bad_lines_with_their_ids() -> None:
    first, second, third, fourth, last = read(b"a\t[Hu01]\nb\t\xe4\xbd\xa0\xff\n\xff\tx\n\0\n[Hu1]\n")
    assert isinstance(first, BadLine)
    assert first.id == "a"
    assert "line 1, column 3: '[Hu01]'" in str(first.error)
    assert isinstance(second, BadLine)
    assert second.id == "b"
    assert str(second.error) == "line 2, column 4: byte 0xff is not UTF-8"
    assert isinstance(third, BadLine)
    assert third.id == "\N{REPLACEMENT CHARACTER}"
    assert isinstance(fourth, BadLine)
    assert fourth.id is None
    assert last == Line(Sequence((hubert(1),)))


def test_read_lines_header_is_the_first_line_only() -> None:
    header = b"#spiritlm 1 model=my model tokenizer=0af3\n"
    assert read(header) == [Header("my model", "0af3")]
    assert read(b"\xef\xbb\xbf" + header.replace(b"\n", b"\r\n")) == [Header("my model", "0af3")]
    assert read(b"\n" + header)[1] == Line(Sequence((TextSpan(header.decode().strip()),)))
    assert read(header.replace(b"\n", b"\tx\n")) == [
        Line(Sequence((TextSpan("x"),)), "#spiritlm 1 model=my model tokenizer=0af3")
    ]
    assert read(b"#spiritlmx\n") == [Line(Sequence((TextSpan("#spiritlmx"),)))]


@pytest.mark.parametrize("text", ["#spiritlm 2 model=a tokenizer=b", "#spiritlm 1 model=a", "#spiritlm 1"])
def test_read_lines_raises_for_an_invalid_header(text: str) -> None:
    with pytest.raises(TokenError, match=r"line 1, column 1: .*#spiritlm 1 model=NAME"):
        read(text.encode() + b"\n[Hu1]\n")
    with pytest.raises(TokenError):
        parse_header(text)


def test_read_lines_yields_lines_as_they_arrive() -> None:
    def chunks() -> object:
        yield b"[TEXT]a\n"
        raise AssertionError("read too far")

    assert next(read_lines(chunks())) == Line(Sequence((TextSpan("a"),)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "a", "audio": "a.wav", "hubert": "1 2"}',
        '{"audio": "a.wav", "hubert": "1 2"}',
        '{"hubert": "1"}',
    ],
)
def test_json_of_tokenize_is_no_token_line(line: str) -> None:
    with pytest.raises(TokenError, match="JSON, not a token line; leave out --format jsonl"):
        parse_line(line)
    assert parse_line("[TEXT]" + line).sequence.text == line


@pytest.mark.parametrize(
    "start",
    [
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"fLaC\x00\x00\x00\x22",
        b"OggS\x00\x02",
        b"ID3\x03",
        b"\xff\xfb\x90\x64",
    ],
)
def test_read_lines_names_audio(start: bytes) -> None:
    assert is_audio(start)
    with pytest.raises(TokenError, match="audio, not token lines; try: spiritlm tokenize"):
        list(read_lines([start + bytes(8)]))


@pytest.mark.parametrize("line", [b"RIFF raff", b"ID3 tags are old", b"flac", b"{}", b"[Hu1]"])
def test_read_lines_takes_text_that_looks_like_audio_or_json(line: bytes) -> None:
    assert not is_audio(line)
    assert not any(isinstance(one, BadLine) for one in read_lines([line]))
