"""Read token lines from a stream before they end."""

import codecs
import select
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from spiritlm_cli.errors import TokenError
from spiritlm_cli.text_files import extend_line
from spiritlm_cli.tokens.reader import BadLine, parse_line, read_lines
from spiritlm_cli.tokens.sequence import Header, Line, Sequence

# More bytes than a pipe holds.
_CHUNK_SIZE = 1 << 17


def read_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a stream as they arrive, and `b""` each time before reading would block.

    stream: a file, pipe or terminal from `open`, or an in-memory stream, which never blocks.
    """
    read = getattr(stream, "read1", stream.read)
    while True:
        if not _is_readable(stream):
            yield b""
        content = read(_CHUNK_SIZE)
        if not content:
            return
        yield content


def _is_readable(stream: BinaryIO) -> bool:
    """Whether reading would not block."""
    try:
        return bool(select.select([stream], [], [], 0)[0])
    except (OSError, ValueError):  # no file descriptor, or one the system can't poll
        return True


def stream_lines(chunks: Iterable[bytes]) -> "Iterator[Header | Line | BadLine | StreamingLine]":
    """Yield lines as `read_lines` does, and a line whose end has not arrived as a StreamingLine once it has units.

    chunks: the bytes of the stream in pieces of any length; `b""` where reading would block, as from `read_chunks`.
    The rest of a StreamingLine is skipped when the next line is requested.
    Raises TokenError for an invalid header: the lines after it can't be trusted.
    """
    lines = _LineBuffer(chunks)
    parser = _PartialParser(is_first=True)
    while lines.read_chunk():
        while lines.complete:
            yield from lines.parse_next()
            parser = _PartialParser(is_first=False)
        if lines.is_blocked and (piece := parser.parse(lines.new_bytes())):
            line = StreamingLine(lines, parser, piece)
            yield line
            line.skip()
            parser = _PartialParser(is_first=False)
    while lines.complete:
        yield from lines.parse_next()


class StreamingLine:
    """A line that has units and whose end has not arrived.

    Iterate once to get its content as it arrives, up to the last unit, in pieces that are lines themselves. If a marker
    is repeated within a piece, `prompt` of the piece is the part before it. id: None if the line has none.
    """

    def __init__(self, lines: "_LineBuffer", parser: "_PartialParser", first: Line) -> None:
        self.id = parser.id
        self._lines, self._parser, self._first = lines, parser, first
        self._line_number = lines.count + 1
        self._whole: Line | BadLine | None = None

    def __iter__(self) -> Iterator[Line]:
        """Yield the pieces. Raises TokenError at the end of the line if it is not well formed."""
        yield self._first
        while self._whole is None:
            has_ended = bool(self._lines.complete)
            if piece := self._parser.parse(self._lines.new_bytes()):
                yield piece
            if has_ended:
                self.read_all()
            elif not self._lines.complete:
                self._lines.read_chunk()

    def skip(self) -> None:
        """Read up to the end of the line."""
        while self._whole is None:
            if self._lines.complete:
                self._whole = next(self._lines.parse_next())  # type: ignore[assignment]  # a header has no units
            else:
                self._lines.read_chunk()

    def read_all(self) -> Line:
        """Wait for the end of the line, and return the whole line. Raises TokenError if it is not well formed."""
        self.skip()
        assert self._whole is not None
        if isinstance(self._whole, BadLine):
            raise self._whole.error
        if self._whole.id != self.id:
            raise self._error("a tab after units; an id that contains units can't be read from a stream")
        return self._whole

    def split(self) -> tuple[Sequence, Iterator[Sequence]]:
        """Return the prompt, as `Line.split` does, and an iterator over the pieces of the continuation as they arrive.

        Waits for the repeated marker that ends the prompt, or for the end of the line. Raises TokenError if the line is
        not well formed, and while iterating if a marker is repeated again in the continuation.
        """
        before: list[Sequence] = []
        pieces = iter(self)
        for piece in pieces:
            if piece.prompt is not None:
                start, rest = piece.split()
                prompt = _concatenate([*before, start])
                return prompt, chain([rest], self._continuation(prompt, pieces))
            before.append(piece.sequence)
        prompt, continuation = self.read_all().split()
        return prompt, iter([continuation])

    def _continuation(self, prompt: Sequence, pieces: Iterator[Line]) -> Iterator[Sequence]:
        for piece in pieces:
            yield piece.sequence
        if self.read_all().split()[0] != prompt:
            raise self._error(
                "a marker is repeated in two places, so it is not known where the continuation begins"
            )

    def _error(self, reason: str) -> TokenError:
        return TokenError(f"line {self._line_number}, column 1: {reason}")


class _LineBuffer:
    """Split chunks of bytes into lines.

    complete: lines, with their line ends, that are not parsed yet. is_blocked: the last chunk was empty, so reading
    more would block. count: number of lines parsed.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._partial = bytearray()
        self._returned = 0
        self._parsed = read_lines(self._take_complete())
        self.complete: deque[bytes] = deque()
        self.is_blocked = False
        self.count = 0

    def read_chunk(self) -> bool:
        """Read the next chunk. Return False at the end of the stream."""
        chunk = next(self._chunks, None)
        self.is_blocked = chunk == b""
        *ends, rest = (chunk or b"").split(b"\n")
        for end in ends:
            extend_line(self._partial, end + b"\n")
            self.complete.append(bytes(self._partial))
            self._partial.clear()
        extend_line(self._partial, rest)
        if chunk is None and self._partial:
            self.complete.append(bytes(self._partial))
            self._partial.clear()
        return chunk is not None

    def new_bytes(self) -> bytes:
        """Return the bytes of the next line that have arrived since the last call."""
        line = self.complete[0] if self.complete else self._partial
        new = bytes(line[self._returned :])
        self._returned = len(line)
        return new

    def parse_next(self) -> Iterator[Header | Line | BadLine]:
        """Yield the next complete line, parsed."""
        self._returned = 0
        for item in self._parsed:
            yield item
            return

    def _take_complete(self) -> Iterator[bytes]:
        while self.complete:
            self.count += 1
            yield self.complete.popleft()


class _PartialParser:
    """Parse a line incrementally, from bytes as they arrive. id: of the line; set once a unit has been parsed."""

    def __init__(self, is_first: bool) -> None:
        """is_first: whether it is the first line, which may be a header or begin with a byte-order mark."""
        self._is_first = is_first
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""  # not parsed yet
        self._has_units = False
        self._is_malformed = False
        self._marker = ""  # the marker in force at the end of the parsed text
        self.id: str | None = None

    def parse(self, content: bytes) -> Line | None:
        """Return the tokens that the new bytes complete, or None if there are none.

        Returns None from the first token on that is not well formed; parsing the whole line reports the error.
        """
        try:
            self._text += self._decoder.decode(content)
            if "]" not in self._text or self._is_malformed:
                return None
            # A token that is cut off is after the last bracket: all tokens end in one, except escapes, which have none.
            head, bracket, tail = self._text.rpartition("]")
            return self._parse_complete(head + bracket, tail)
        except (UnicodeDecodeError, TokenError):
            self._is_malformed = True
            return None

    def _parse_complete(self, text: str, tail: str) -> Line | None:
        """Parse `text`, and keep `tail` for the next call; keep both as long as there are no units."""
        if not self._has_units:
            text = text.removeprefix("\ufeff") if self._is_first else text
            name, tab, rest = text.partition("\t")
            if self._is_first and text.startswith("#spiritlm ") and not tab:
                return None
            self.id, text = (name, rest) if tab else (None, text)
        # The id "-" keeps a tab in the text from ending an id; the marker gives the text after it its modality.
        piece = parse_line(f"-\t{self._marker}{text}")
        self._has_units = self._has_units or bool(piece.sequence.speech)
        if not self._has_units:
            return None
        self._text = tail
        current = piece.opens or piece.sequence.ends_in
        self._marker = f"[{current.upper()}]" if current else self._marker
        return piece


def _concatenate(sequences: Iterable[Sequence]) -> Sequence:
    return Sequence.of(span for sequence in sequences for span in sequence.spans)
