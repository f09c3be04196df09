"""Parse token lines strictly, in the format described in docs/token-format.md."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spiritlm_cli.errors import TokenError
from spiritlm_cli.text_files import is_audio, is_too_long, too_long_message
from spiritlm_cli.tokens.sequence import Header, Line, Modality, Sequence, Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit

# Markers are optional: units are speech and anything else is text, with or without them.
# Consecutive units are one match, of at most 1000 units because the regex engine keeps state for each repetition.
# Ids of up to 18 digits fit into int64 arrays.
_TOKEN = re.compile(
    r"(?P<units>(?:\[(?:Hu|Pi|St)(?:0|[1-9][0-9]{0,17})\]){1,1000})"
    r"|(?P<marker>\[(?:TEXT|Text|SPEECH|Speech)\])"
    r"|(?P<escape>\\[\\\[ntr])"
    r"|(?P<bad>\[(?:Hu|Pi|St)(?:\]|[0-9+-][^\[\]\s]{0,30}\]?))"
)
_ESCAPED = {r"\\": "\\", r"\[": "[", r"\n": "\n", r"\t": "\t", r"\r": "\r"}
_HEADER = re.compile(r"#spiritlm 1 model=([^\s\0][^\t\r\n\0]*) tokenizer=([^\s\0]+)")
# How a line of `tokenize --format jsonl` begins, which is often given instead of a token line.
_JSON = re.compile(r'\{"(?:id|audio|hubert)": ?"')
_NOT_IN_ID = re.compile(r"[\0\r\n]")


class _Units(dict[str, Unit]):
    """Cache from the spelling of a unit without brackets (`Hu28`) to the unit. Only ids below 1024 are kept."""

    def __missing__(self, spelling: str) -> Unit:
        unit = Unit(Kind(spelling[:2]), int(spelling[2:]))
        if unit.id < 1024:
            self[spelling] = unit
        return unit


_UNITS = _Units()


@dataclass(frozen=True)
class BadLine:
    """A line that is not well formed. id: as far as it can be read, or None if the line has none."""

    error: TokenError
    id: str | None = None


def parse_sequence(text: str, line: int = 1, column: int = 1) -> Sequence:
    """Parse a sequence. line, column: where `text` begins, from 1, for errors.

    Raises TokenError, with line, column and the token, for a token that is not well formed.
    """
    return parse_content(text, line, column).sequence


def parse_content(text: str, line: int = 1, column: int = 1, name: str | None = None) -> Line:
    """Parse a line without its id, and return the line with the id `name`. Otherwise like `parse_sequence`."""
    if "\0" in text:
        raise _error(line, column + text.index("\0"), "a NUL character")
    spans: list[Span] = []
    current: Modality | None = None  # the modality in force, by a marker or by content
    prompt_spans: int | None = None  # number of spans before the last repeated marker
    ends_in_marker = False
    position = 0
    for match in _TOKEN.finditer(text):
        start = match.start()
        if start > position:
            spans.append(TextSpan(text[position:start]))
            current = "text"
        position = match.end()
        token = match[0]
        ends_in_marker = False
        match match.lastgroup:
            case "units":
                spans.append(SpeechSpan(tuple(map(_UNITS.__getitem__, token[1:-1].split("][")))))
                current = "speech"
            case "escape":
                spans.append(TextSpan(_ESCAPED[token]))
                current = "text"
            case "marker":
                kind: Modality = "text" if token in ("[TEXT]", "[Text]") else "speech"
                if kind == current:
                    prompt_spans = len(spans)
                current, ends_in_marker = kind, True
            case "bad":
                raise _error(
                    line,
                    column + start,
                    f"{token!a} is not a unit: those are like [Hu28], with no sign, no leading zero "
                    r"and at most 18 digits (in text, write \[ for the bracket)",
                )
    if position < len(text):
        spans.append(TextSpan(text[position:]))
        ends_in_marker = False
    sequence = Sequence.of(spans)
    prompt = None if prompt_spans is None else Sequence.of(spans[:prompt_spans])
    opens = current if ends_in_marker and current != sequence.ends_in else None
    return Line(sequence, name, opens, prompt)


def parse_line(text: str, line: int = 1) -> Line:
    """Parse a line, with or without an id, with or without a line end. line: its number, for errors.

    Raises TokenError, with line, column and the token, if the line is not well formed.
    """
    text = text.removesuffix("\n").removesuffix("\r")
    if _JSON.match(text):
        raise _error(line, 1, "JSON, not a token line; leave out --format jsonl of spiritlm tokenize")
    line_id, tab, rest = text.partition("\t")
    if not tab:
        return parse_content(text, line, 1)
    if not line_id:
        raise _error(line, 1, "nothing before the tab, where the id should be")
    if match := _NOT_IN_ID.search(line_id):
        raise _error(line, match.start() + 1, f"{match[0]!a} in an id")
    return parse_content(rest, line, len(line_id) + 2, line_id)


def read_lines(stream: Iterable[bytes]) -> Iterator[Header | Line | BadLine]:
    """Parse the lines of a binary stream as they arrive. A header, if there is one, is yielded first.

    stream: `bounded_lines` of a file opened in binary mode, or other lines that end at LF only. A line that is not well
    formed or too long is yielded as a BadLine.
    Raises TokenError for an invalid header, because the lines after it can't be trusted, and for audio.
    """
    for line_number, raw in enumerate(stream, 1):
        if line_number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
            if not raw:
                continue
        if is_too_long(raw):
            error = TokenError(f"line {line_number}, column 1: {too_long_message()}")
            yield BadLine(error, _salvage_id(raw))
            continue
        if line_number == 1 and is_audio(raw):
            raise _error(1, 1, "audio, not token lines; try: spiritlm tokenize")
        try:
            text = raw.decode()
            if line_number == 1 and text.startswith("#spiritlm ") and "\t" not in text:
                yield parse_header(text)
            else:
                yield parse_line(text, line_number)
        except UnicodeDecodeError as error:
            column = len(raw[: error.start].decode()) + 1
            reason = _error(line_number, column, f"byte 0x{raw[error.start]:02x} is not UTF-8")
            yield BadLine(reason, _salvage_id(raw))
        except TokenError as error:
            if line_number == 1 and raw.startswith(b"#spiritlm ") and b"\t" not in raw:
                raise
            yield BadLine(error, _salvage_id(raw))


def parse_header(text: str) -> Header:
    """Parse a header line, `#spiritlm 1 model=NAME tokenizer=HASH`.

    Raises TokenError for another version of the format, and if a part is missing.
    """
    text = text.removesuffix("\n").removesuffix("\r")
    match = _HEADER.fullmatch(text)
    if not match:
        raise _error(1, 1, f"{text[:80]!a} is not '#spiritlm 1 model=NAME tokenizer=HASH'")
    return Header(match[1], match[2])


def _error(line: int, column: int, reason: str) -> TokenError:
    return TokenError(f"line {line}, column {column}: {reason}")


def _salvage_id(raw: bytes) -> str | None:
    """Return the id of a bad line, with characters that can't be written replaced, or None if it has no id."""
    line_id, tab, _ = raw.partition(b"\t")
    if not tab or not line_id:
        return None
    return _NOT_IN_ID.sub("\N{REPLACEMENT CHARACTER}", line_id.decode(errors="replace"))
