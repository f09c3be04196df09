"""Token lines in: the strict reader of the format that docs/token-format.md describes."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.sequence import Header, Line, Modality, Sequence, Span, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit

# Markers carry nothing of their own: a unit is speech and anything else is text, with or without them.
# A run of units is matched at once, but in bounded pieces: the regex engine keeps state for each repeat.
# Ids of up to 18 digits fit the int64 of every array that they may go into.
_TOKEN = re.compile(
    r"(?P<units>(?:\[(?:Hu|Pi|St)(?:0|[1-9][0-9]{0,17})\]){1,1000})"
    r"|(?P<marker>\[(?:TEXT|Text|SPEECH|Speech)\])"
    r"|(?P<escape>\\[\\\[ntr])"
    r"|(?P<bad>\[(?:Hu|Pi|St)(?:\]|[0-9+-][^\[\]\s]{0,30}\]?))"
)
_ESCAPED = {r"\\": "\\", r"\[": "[", r"\n": "\n", r"\t": "\t", r"\r": "\r"}
_HEADER = re.compile(r"#spiritlm 1 model=([^\s\0][^\t\r\n\0]*) tokenizer=([^\s\0]+)")
_NOT_IN_ID = re.compile(r"[\0\r\n]")


class _Units(dict[str, Unit]):
    """From a unit's spelling without brackets (`Hu28`) to the unit; one object for each that models have."""

    def __missing__(self, spelling: str) -> Unit:
        unit = Unit(Kind(spelling[:2]), int(spelling[2:]))
        if unit.id < 1024:
            self[spelling] = unit
        return unit


_UNITS = _Units()


@dataclass(frozen=True)
class BadLine:
    """A line that is not well formed: what is wrong, and its id so far as that can be read."""

    error: TokenError
    id: str | None = None


def parse_sequence(text: str, line: int = 1, column: int = 1) -> Sequence:
    """The sequence that `text` spells; line and column (from 1) say where it stands, for errors.

    Raises TokenError with line, column and the offending token.
    """
    return parse_content(text, line, column).sequence


def parse_content(text: str, line: int = 1, column: int = 1, name: str | None = None) -> Line:
    """The same with how it is written: as a line whose id is `name`, which `text` doesn't hold. Raises TokenError."""
    if "\0" in text:
        raise _error(line, column + text.index("\0"), "a NUL character")
    spans: list[Span] = []
    # the marker in force, whether or not it was written; and how many spans stood before one that repeated it
    current: Modality | None = None
    repeated: int | None = None
    opened = False
    position = 0
    for match in _TOKEN.finditer(text):
        start = match.start()
        if start > position:
            spans.append(TextSpan(text[position:start]))
            current = "text"
        position = match.end()
        token = match[0]
        opened = False
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
                    repeated = len(spans)
                current, opened = kind, True
            case "bad":
                raise _error(
                    line,
                    column + start,
                    f"{token!a} is not a unit: those are like [Hu28], with no sign, no leading zero "
                    r"and at most 18 digits (in text, write \[ for the bracket)",
                )
    if position < len(text):
        spans.append(TextSpan(text[position:]))
        opened = False
    sequence = Sequence.of(spans)
    prompt = None if repeated is None else Sequence.of(spans[:repeated])
    return Line(sequence, name, current if opened and current != sequence.ends_in else None, prompt)


def parse_line(text: str, line: int = 1) -> Line:
    """One line, with or without an id, with or without its line end; `line` is its number, for errors.

    Raises TokenError with line, column and the offending token.
    """
    text = text.removesuffix("\n").removesuffix("\r")
    line_id, tab, rest = text.partition("\t")
    if not tab:
        return parse_content(text, line, 1)
    if not line_id:
        raise _error(line, 1, "nothing before the tab, where the id should be")
    if found := _NOT_IN_ID.search(line_id):
        raise _error(line, found.start() + 1, f"{found[0]!a} in an id")
    return parse_content(rest, line, len(line_id) + 2, line_id)


def read_lines(stream: Iterable[bytes]) -> Iterator[Header | Line | BadLine]:
    """The lines of a binary stream, each as soon as it is there; the header, where there is one, comes first.

    stream: a file opened in binary (it splits at LF only, as the format does). A line that is not well formed
    is given as a BadLine, and the rest go on.
    Raises TokenError for a header that can't be read: then nothing after it can be trusted.
    """
    for number, raw in enumerate(stream, 1):
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
            if not raw:
                continue
        try:
            text = raw.decode()
            if number == 1 and text.startswith("#spiritlm ") and "\t" not in text:
                yield parse_header(text)
            else:
                yield parse_line(text, number)
        except UnicodeDecodeError as error:
            column = len(raw[: error.start].decode()) + 1
            wrong = _error(number, column, f"byte 0x{raw[error.start]:02x} is not UTF-8")
            yield BadLine(wrong, _salvage_id(raw))
        except TokenError as error:
            if number == 1 and raw.startswith(b"#spiritlm ") and b"\t" not in raw:
                raise
            yield BadLine(error, _salvage_id(raw))


def parse_header(text: str) -> Header:
    """The header that the first line of a stream spells (`#spiritlm 1 model=NAME tokenizer=HASH`).

    Raises TokenError where it is of another version or lacks a part.
    """
    text = text.removesuffix("\n").removesuffix("\r")
    found = _HEADER.fullmatch(text)
    if not found:
        raise _error(1, 1, f"{text[:80]!a} is not '#spiritlm 1 model=NAME tokenizer=HASH'")
    return Header(found[1], found[2])


def _error(line: int, column: int, what: str) -> TokenError:
    return TokenError(f"line {line}, column {column}: {what}")


def _salvage_id(raw: bytes) -> str | None:
    """A bad line's id in a form that can be written again, or None where it has none."""
    line_id, tab, _ = raw.partition(b"\t")
    if not tab or not line_id:
        return None
    return _NOT_IN_ID.sub("\N{REPLACEMENT CHARACTER}", line_id.decode(errors="replace"))
