"""Token lines that are read before they end."""

import codecs
import select
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from spiritlm_cli.errors import TokenError
from spiritlm_cli.tokens.reader import BadLine, parse_line, read_lines
from spiritlm_cli.tokens.sequence import Header, Line, Sequence

# More than a pipe holds.
_MOST = 1 << 17


def arriving(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of a stream as they come, and none (`b""`) each time that more has to be waited for.

    stream: one that `open` gives, or bytes in memory, which are all there at once.
    """
    read = getattr(stream, "read1", stream.read)
    while True:
        if not _has_more(stream):
            yield b""
        content = read(_MOST)
        if not content:
            return
        yield content


def _has_more(stream: BinaryIO) -> bool:
    """Whether reading would not wait."""
    try:
        return bool(select.select([stream], [], [], 0)[0])
    except (OSError, ValueError):  # it is no file, or the system can't say of this one
        return True


def read_growing(content: Iterable[bytes]) -> "Iterator[Header | Line | BadLine | GrowingLine]":
    """The lines of a stream, as `read_lines` gives them; one whose end has to be waited for, as soon as it has units.

    content: the stream's bytes in pieces, with empty ones where it has to be waited for, as `arriving` gives them.
    What has not been read of a growing line when the next is asked for is passed over.
    Raises TokenError for a header that can't be read: then nothing after it can be trusted.
    """
    lines = _Lines(content)
    opening = _Opening(first=True)
    while lines.pull():
        while lines.whole:
            yield from lines.parsed()
            opening = _Opening(first=False)
        if lines.waits and (piece := opening.add(lines.unread())):
            growing = GrowingLine(lines, opening, piece)
            yield growing
            growing.end()
            opening = _Opening(first=False)
    while lines.whole:
        yield from lines.parsed()


class GrowingLine:
    """A line that has units and no end yet.

    Iterate over it: what is there, and then what comes, up to its last unit, in pieces that are lines themselves;
    `prompt` of a piece is what of it stands before a marker that is repeated.
    id: None where it has none.
    """

    def __init__(self, lines: "_Lines", opening: "_Opening", piece: Line) -> None:
        self.id = opening.id
        self._lines, self._opening, self._first = lines, opening, piece
        self._number = lines.count + 1
        self._whole: Line | BadLine | None = None

    def __iter__(self) -> Iterator[Line]:
        """Raises TokenError at the end of a line that is not well formed. To be done once."""
        yield self._first
        while self._whole is None:
            ended = bool(self._lines.whole)
            if piece := self._opening.add(self._lines.unread()):
                yield piece
            if ended:
                self.line()
            elif not self._lines.whole:
                self._lines.pull()

    def end(self) -> None:
        """Read what is left of it, whatever that is."""
        while self._whole is None:
            if self._lines.whole:
                self._whole = next(self._lines.parsed())  # type: ignore[assignment]  # a header has no units
            else:
                self._lines.pull()

    def line(self) -> Line:
        """All of it; its end is waited for. Raises TokenError where it is not well formed."""
        self.end()
        assert self._whole is not None
        if isinstance(self._whole, BadLine):
            raise self._whole.error
        if self._whole.id != self.id:
            raise self._error("a tab after units: a line is not read as it grows where its id has units")
        return self._whole

    def split(self) -> tuple[Sequence, Iterator[Sequence]]:
        """The prompt, as `Line.split` has it, and the continuation as it comes, in pieces.

        Where no marker is repeated, that is at the line's end. Raises TokenError where the line is not well formed,
        or a marker is repeated again in the continuation.
        """
        before: list[Sequence] = []
        pieces = iter(self)
        for piece in pieces:
            if piece.prompt is not None:
                start, rest = piece.split()
                prompt = _joined([*before, start])
                return prompt, chain([rest], self._continuation(prompt, pieces))
            before.append(piece.sequence)
        prompt, continuation = self.line().split()
        return prompt, iter([continuation])

    def _continuation(self, prompt: Sequence, pieces: Iterator[Line]) -> Iterator[Sequence]:
        for piece in pieces:
            yield piece.sequence
        if self.line().split()[0] != prompt:
            raise self._error(
                "a marker is repeated in two places: where the continuation begins is not known"
            )

    def _error(self, what: str) -> TokenError:
        return TokenError(f"line {self._number}, column 1: {what}")


class _Lines:
    """Bytes that come in any pieces, as lines.

    whole: lines with their ends that have not been parsed; waits: whether there is nothing more at present; count: how
    many have been parsed.
    """

    def __init__(self, content: Iterable[bytes]) -> None:
        self._content = iter(content)
        self._unfinished = bytearray()
        self._seen = 0
        self._parsed = read_lines(self._taken())
        self.whole: deque[bytes] = deque()
        self.waits = False
        self.count = 0

    def pull(self) -> bool:
        """Wait for more. Returns whether there is."""
        content = next(self._content, None)
        self.waits = content == b""
        *ends, rest = (content or b"").split(b"\n")
        for end in ends:
            self.whole.append(bytes(self._unfinished) + end + b"\n")
            self._unfinished.clear()
        self._unfinished += rest
        if content is None and self._unfinished:
            self.whole.append(bytes(self._unfinished))
            self._unfinished.clear()
        return content is not None

    def unread(self) -> bytes:
        """What has come of the line that is next, each time what is new."""
        line = self.whole[0] if self.whole else self._unfinished
        new = bytes(line[self._seen :])
        self._seen = len(line)
        return new

    def parsed(self) -> Iterator[Header | Line | BadLine]:
        """The next of the whole lines."""
        self._seen = 0
        for item in self._parsed:
            yield item
            return

    def _taken(self) -> Iterator[bytes]:
        while self.whole:
            self.count += 1
            yield self.whole.popleft()


class _Opening:
    """Speech of a line of which bytes come one after another.

    id: the line's; known once there is any speech.
    """

    def __init__(self, first: bool) -> None:
        """first: whether the line is the first of its stream, which may have a byte-order mark, or be a header."""
        self._first = first
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._begun = False
        self._broken = False
        self._marker = ""  # that in force at the end of what has been read
        self.id: str | None = None

    def add(self, content: bytes) -> Line | None:
        """What more of the line can be read, if there is any. None once it is not well formed: what it lacks is said
        of the whole line."""
        try:
            self._text += self._decoder.decode(content)
            if "]" not in self._text or self._broken:
                return None
            # Whatever is torn is after the last bracket: all tokens end in one but escapes, which have none.
            head, bracket, tail = self._text.rpartition("]")
            return self._read(head + bracket, tail)
        except (UnicodeDecodeError, TokenError):
            self._broken = True
            return None

    def _read(self, text: str, tail: str) -> Line | None:
        if not self._begun:
            text = text.removeprefix("\ufeff") if self._first else text
            name, tab, rest = text.partition("\t")
            if self._first and text.startswith("#spiritlm ") and not tab:
                return None
            self.id, text = (name, rest) if tab else (None, text)
        # a tab in the text begins no other id, and what follows a marker in force needs it
        piece = parse_line(f"-\t{self._marker}{text}")
        self._begun = self._begun or bool(piece.sequence.speech)
        if not self._begun:
            return None
        self._text = tail
        current = piece.opens or piece.sequence.ends_in
        self._marker = f"[{current.upper()}]" if current else self._marker
        return piece


def _joined(sequences: Iterable[Sequence]) -> Sequence:
    return Sequence.of(span for sequence in sequences for span in sequence.spans)
