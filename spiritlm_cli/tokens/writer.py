"""Write token lines, in the canonical form described in docs/token-format.md."""

import re
from collections.abc import Iterable, Iterator

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.sequence import Header, Line, Modality, Sequence, Span, TextSpan, modality
from spiritlm_cli.tokens.units import Unit

_SPECIAL = re.compile(r"[\\\[\n\t\r\0\ud800-\udfff]")
_ESCAPES = {"\\": r"\\", "[": r"\[", "\n": r"\n", "\t": r"\t", "\r": r"\r"}
_NOT_IN_ID = re.compile(r"[\n\t\r\0\ud800-\udfff]")
_MODEL_NAME = re.compile(r"[^\s\0\ud800-\udfff][^\n\t\r\0\ud800-\udfff]*")
_TOKENIZER_HASH = re.compile(r"[^\s\0\ud800-\udfff]+")
_MAX_UNIT_ID = 10**18 - 1


class _Spellings(dict[Unit, str]):
    """Cache of the spellings of units. Only ids below 1024 are kept: models have no others."""

    def __missing__(self, unit: Unit) -> str:
        if not 0 <= unit.id <= _MAX_UNIT_ID:
            raise TokenError(f"a unit's id must be from 0 to {_MAX_UNIT_ID}, this one has {unit.id}")
        spelling = f"[{unit.kind.value}{int(unit.id)}]"
        if unit.id < 1024:
            self[unit] = spelling
        return spelling


_SPELLINGS = _Spellings()
_MARKERS: dict[Modality, str] = {"text": "[TEXT]", "speech": "[SPEECH]"}


def format_sequence(sequence: Sequence) -> str:
    """Return the text form of a sequence, which `parse_sequence` parses into an equal sequence.

    Raises TokenError for what the format can't represent: NUL or half a surrogate pair in a text, and unit ids that are
    negative or have more than 18 digits.
    """
    return "".join(_MARKERS[modality(span)] + _content(span) for span in sequence.spans)


def format_pieces(pieces: Iterable[Span], prompt: Sequence | None = None) -> Iterator[str]:
    """Yield the text form of a sequence whose spans arrive in pieces, piece by piece.

    prompt: written before the pieces. Its marker is always repeated after it, because it is not known yet whether a
    single span of the other modality follows, which would make the repetition unnecessary; see `format_line`.
    Raises TokenError as `format_sequence` does.
    """
    if prompt:
        yield format_sequence(prompt)
    current: Modality | None = None
    for span in pieces:
        kind = modality(span)
        if kind != current:
            if current is None and prompt is not None:
                yield _repeated_marker(prompt, kind)
            yield _MARKERS[kind]
            current = kind
        yield _content(span)
    if current is None and prompt is not None:
        yield _repeated_marker(prompt, None)


def format_line(line: Line) -> str:
    """Return the text form of a line, without a line end.

    If the line has a prompt, its last marker is repeated after it to show where it ends. The repetition is left out if
    the continuation is a single span of the other modality.
    Raises TokenError for an id or a sequence that the format can't represent.
    """
    sequence = (
        format_sequence(line.sequence) if line.prompt is None else _format_with_prompt(line.prompt, line)
    )
    if line.id is None:
        return sequence
    check_id(line.id)
    return f"{line.id}\t{sequence}"


def check_id(id: str) -> None:  # noqa: A002
    """Raise TokenError for an id that a line can't hold."""
    if not id or _NOT_IN_ID.search(id):
        raise TokenError(f"an id can't be empty or hold tab, line end, NUL or broken UTF-8: {id!a}")


def _format_with_prompt(prompt: Sequence, line: Line) -> str:
    continuation = line.sequence.after(prompt)
    kinds = [modality(span) for span in continuation.spans]
    is_clear = len(kinds) == 1 and kinds[0] != prompt.ends_in
    repeated = "" if is_clear else _repeated_marker(prompt, kinds[0] if kinds else None)
    return format_sequence(prompt) + repeated + format_sequence(continuation)


def _repeated_marker(prompt: Sequence, first: Modality | None) -> str:
    """Return the markers to insert after a prompt so that one marker occurs twice there.

    first: modality of the continuation, which begins with its own marker.
    """
    kind = prompt.ends_in or first
    return _MARKERS[kind] * (2 - bool(prompt.spans) - (first == kind)) if kind else ""


def format_header(header: Header) -> str:
    """Return the header line, which names the model that the units are from, without a line end.

    Raises TokenError for names that a header can't represent.
    """
    if not _MODEL_NAME.fullmatch(header.model):
        raise TokenError(
            f"{header.model!a}: a name of a model that a header can't hold; rename its folder, or leave out --header"
        )
    if not _TOKENIZER_HASH.fullmatch(header.tokenizer):
        raise TokenError(f"{header.tokenizer!a}: a fingerprint that a header can't hold")
    return f"#spiritlm 1 model={header.model} tokenizer={header.tokenizer}"


def _content(span: Span) -> str:
    """Return the text form of a span without its marker."""
    if isinstance(span, TextSpan):
        return _SPECIAL.sub(_escape, span.text)
    return "".join(map(_SPELLINGS.__getitem__, span.units))


def _escape(special: re.Match[str]) -> str:
    try:
        return _ESCAPES[special[0]]
    except KeyError:
        raise TokenError(f"text that a token line can't hold: {special[0]!a}") from None
