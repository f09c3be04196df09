"""Token lines in rows for a terminal, from which the line can be copied."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from rich.cells import cell_len

from spiritlm_cli.console import warn_once
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.tokens.writer import format_sequence

PieceKind = Literal["marker", "text", "Hu", "Pi", "St"]

# Shown in place of characters that would control a terminal.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
_SPACE = re.compile(r"[ \t\r\n]+")
_UNIT = re.compile(r"\[(Hu|Pi|St)\d+\]")
# A row ends before white space and never after it, because what is copied from a terminal lacks that at line ends.
_WORD = re.compile(r"\s*\S+|\s+")
_CHARACTER = re.compile(r"\s*(?:\\[\\\[ntr]|\S)|\s+")


@dataclass(frozen=True)
class Piece:
    """A part of a row of one color: text, a marker, or units of one stream."""

    kind: PieceKind
    text: str


def wrap_sequence(sequence: Sequence, width: int | None) -> Iterator[list[Piece]]:
    """Yield the rows of the canonical form of a sequence, in which `printable` has replaced characters.

    width: in columns; None for one row. A row ends between tokens or before the white space between words, and within a
    word only if the word is longer than a row. The rows, concatenated without line ends, are the token line. No row is
    yielded for an empty sequence.
    """
    row: list[Piece] = []
    used = 0
    for chunk in _chunks(sequence):
        size = sum(_columns(piece.text) for piece in chunk)
        parts = [chunk]
        if width is not None and size > width and len(chunk) == 1 and chunk[0].kind == "text":
            parts = [[Piece("text", part)] for part in _split_word(chunk[0].text)]
        for part in parts:
            if part is not chunk:
                size = _columns(part[0].text)
            if width is not None and row and used + size > width:
                yield _joined(row)
                row, used = [], 0
            row += part
            used += size
    if row:
        yield _joined(row)


def printable(text: str) -> str:
    """Replace each character that could control a terminal or reorder what it shows, by U+FFFD."""
    return text if text.isprintable() else "".join(c if _is_printable(c) else REPLACEMENT for c in text)


def printable_line(text: str) -> str:
    """Return a text as one line: white space becomes one space, and other characters are as in `printable`."""
    return printable(_SPACE.sub(" ", text).strip(" "))


def count_replaced(text: str) -> int:
    """The number of characters that `printable_line` replaces."""
    return sum(not _is_printable(character) for character in _SPACE.sub(" ", text))


def shown_line(text: str) -> str:
    """`printable_line`, with a warning, the first time that it replaces characters."""
    if count_replaced(text):
        warn_once(f"characters that could control the terminal are shown as {REPLACEMENT}")
    return printable_line(text)


def _is_printable(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def _chunks(sequence: Sequence) -> Iterator[list[Piece]]:
    """The parts of the line between which a row may end. White space at the end of a text goes with the next marker."""
    space: list[Piece] = []
    for span in sequence.spans:
        opening, bracket, content = format_sequence(Sequence((span,))).partition("]")
        yield [*space, Piece("marker", opening + bracket)]
        space = []
        if isinstance(span, TextSpan):
            for match in _WORD.finditer(printable(content)):
                piece = Piece("text", match[0])
                if piece.text.isspace():
                    space = [piece]
                else:
                    yield [piece]
        else:
            for match in _UNIT.finditer(content):
                yield [Piece(match[1], match[0])]  # type: ignore[arg-type]  # as the pattern has it
    if space:
        yield space


def _split_word(word: str) -> Iterator[str]:
    """Split a word with the white space before it between characters, and not within an escape."""
    pending = ""
    for match in _CHARACTER.finditer(word):
        if pending and _columns(match[0]) and not pending.endswith(_JOINERS[0]):
            yield pending
            pending = ""
        pending += match[0]
    yield pending


def _columns(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _joined(row: list[Piece]) -> list[Piece]:
    """Join neighbors of one kind."""
    return [
        Piece(kind, "".join(piece.text for piece in pieces))
        for kind, pieces in groupby(row, key=lambda piece: piece.kind)
    ]
