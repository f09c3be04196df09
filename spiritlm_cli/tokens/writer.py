"""Token lines out, in the canonical form that docs/token-format.md describes."""

import re
from collections.abc import Iterable, Iterator

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.sequence import Header, Line, Modality, Sequence, Span, TextSpan, modality
from spiritlm_cli.tokens.units import Unit

_SPECIAL = re.compile(r"[\\\[\n\t\r\0\ud800-\udfff]")
_ESCAPES = {"\\": r"\\", "[": r"\[", "\n": r"\n", "\t": r"\t", "\r": r"\r"}
_NOT_IN_ID = re.compile(r"[\n\t\r\0\ud800-\udfff]")
_MODEL = re.compile(r"[^\s\0\ud800-\udfff][^\n\t\r\0\ud800-\udfff]*")
_TOKENIZER = re.compile(r"[^\s\0\ud800-\udfff]+")
_HIGHEST_ID = 10**18 - 1


class _Spellings(dict[Unit, str]):
    """From units to their spelling; those that models have are kept."""

    def __missing__(self, unit: Unit) -> str:
        if not 0 <= unit.id <= _HIGHEST_ID:
            raise TokenError(f"a unit's id must be from 0 to {_HIGHEST_ID}, this one has {unit.id}")
        spelling = f"[{unit.kind.value}{int(unit.id)}]"
        if unit.id < 1024:
            self[unit] = spelling
        return spelling


_SPELLINGS = _Spellings()


_MARKERS: dict[Modality, str] = {"text": "[TEXT]", "speech": "[SPEECH]"}


def format_sequence(sequence: Sequence) -> str:
    """A sequence as text; `parse_sequence` gives the same sequence back.

    Raises TokenError for what the format can't hold: NUL or half a surrogate pair in text, a negative unit.
    """
    return "".join(_MARKERS[modality(span)] + _content(span) for span in sequence.spans)


def format_pieces(pieces: Iterable[Span], prompt: Sequence | None = None) -> Iterator[str]:
    """A sequence that comes in pieces, as text, each as soon as it is there.

    prompt: it stands before them, and its marker is repeated after it, whatever follows: that there will be a single
    span, which `format_line` needs no mark for, nobody knows as yet. Raises TokenError as `format_sequence`.
    """
    if prompt:
        yield format_sequence(prompt)
    current: Modality | None = None
    for span in pieces:
        kind = modality(span)
        if kind != current:
            if current is None and prompt is not None:
                yield _repeated(prompt, kind)
            yield _MARKERS[kind]
            current = kind
        yield _content(span)
    if current is None and prompt is not None:
        yield _repeated(prompt, None)


def format_line(line: Line) -> str:
    """A line, without its line end. Raises TokenError for an id or a sequence that the format can't hold.

    Where it has a prompt, the marker is repeated after that, unless a last span of the other kind shows where it ends.
    """
    sequence = format_sequence(line.sequence) if line.prompt is None else _format_continued(line.prompt, line)
    if line.id is None:
        return sequence
    if not line.id or _NOT_IN_ID.search(line.id):
        raise TokenError(f"an id can't be empty or hold tab, line end, NUL or broken UTF-8: {line.id!a}")
    return f"{line.id}\t{sequence}"


def _format_continued(prompt: Sequence, line: Line) -> str:
    rest = line.sequence.after(prompt)
    kinds = [modality(span) for span in rest.spans]
    told = len(kinds) == 1 and kinds[0] != prompt.ends_in
    repeated = "" if told else _repeated(prompt, kinds[0] if kinds else None)
    return format_sequence(prompt) + repeated + format_sequence(rest)


def _repeated(prompt: Sequence, first: Modality | None) -> str:
    """What it takes for a marker to stand twice between a prompt and what follows, which begins with its own."""
    kind = prompt.ends_in or first
    return _MARKERS[kind] * (2 - bool(prompt.spans) - (first == kind)) if kind else ""


def format_header(header: Header) -> str:
    """The first line, which says where units come from, without its line end.

    Raises TokenError for names that it can't hold.
    """
    if not _MODEL.fullmatch(header.model) or not _TOKENIZER.fullmatch(header.tokenizer):
        raise TokenError(f"names that a header can't hold: {header.model!a}, {header.tokenizer!a}")
    return f"#spiritlm 1 model={header.model} tokenizer={header.tokenizer}"


def _content(span: Span) -> str:
    """A span without its marker."""
    if isinstance(span, TextSpan):
        return _SPECIAL.sub(_escape, span.text)
    return "".join(map(_SPELLINGS.__getitem__, span.units))


def _escape(special: re.Match[str]) -> str:
    try:
        return _ESCAPES[special[0]]
    except KeyError:
        raise TokenError(f"text that a token line can't hold: {special[0]!a}") from None
