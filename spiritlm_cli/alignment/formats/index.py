"""An index of files that hold the words of many clips, to read one clip at a time."""

import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.text_files import (
    MAX_FILE,
    bounded_lines,
    inflated_error,
    is_too_long,
    max_inflated,
    read_errors,
    too_long_message,
)

# Gives the clip id of a line, or None for a line without one, from its text and its location (for errors).
IdOf = Callable[[str, str], str | None]


class _Block(NamedTuple):
    """Adjacent lines of one clip. offset, length: bytes; line: number of the first line."""

    offset: int
    length: int
    line: int


class LineIndex:
    """Reads the lines of a clip from a file of many clips, which may be gzipped. Only their positions are in memory.

    The lines of a clip must be adjacent. `find` may be called by several threads, and in forked processes.
    """

    def __init__(self, path: Path, id_of: IdOf) -> None:
        """Index a file. Raises ManifestError if it can't be read."""
        self._path = path
        self._blocks: dict[str, _Block | ManifestError] = {}
        self._parse_error: ManifestError | None = None
        self._file = _open(path)
        self._scan(id_of)

    def find(self, clip_id: str) -> list[tuple[int, str]] | None:
        """The lines of a clip with their numbers, or None if there are none.

        Raises ManifestError for invalid lines, and for an unknown id if any line of the file failed to parse.
        """
        block = self._blocks.get(clip_id)
        if block is None and self._parse_error:
            raise ManifestError(
                f"{clip_id!r} is not in the file, and a line can't be read: {self._parse_error}"
            )
        if block is None:
            return None
        if isinstance(block, ManifestError):
            raise block
        if block.length > MAX_FILE:
            raise ManifestError(
                f"{self._path}: line {block.line}: more than {MAX_FILE // 1_000_000} MB of one clip"
            )
        # pread leaves the position of the file as it is, so that threads don't interfere.
        content = os.pread(self._file.fileno(), block.length, block.offset)
        return list(self._decode_lines(content, block.line))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _scan(self, id_of: IdOf) -> None:
        offset = 0
        previous: str | None = None
        for line_number, raw in enumerate(bounded_lines(self._file, cr=True), 1):
            where = f"{self._path}: line {line_number}"
            if is_too_long(raw):
                raise ManifestError(f"{where}: {too_long_message()}")
            try:
                # Invalid UTF-8 is an error of `find`.
                clip_id = id_of(raw.decode(_encoding(line_number), "replace"), where)
            except ManifestError as error:
                self._parse_error = self._parse_error or error
                clip_id = None
            if clip_id is not None:
                self._add(clip_id, _Block(offset, len(raw), line_number), clip_id == previous, where)
                previous = clip_id
            offset += len(raw)

    def _add(self, clip_id: str, line: _Block, is_adjacent: bool, where: str) -> None:
        block = self._blocks.get(clip_id)
        if block is None:
            self._blocks[clip_id] = line
        elif isinstance(block, _Block):
            if is_adjacent:
                length = line.offset + line.length - block.offset
                self._blocks[clip_id] = block._replace(length=length)
            else:
                self._blocks[clip_id] = duplicate_error(clip_id, where)

    def _decode_lines(self, content: bytes, first_line: int) -> Iterator[tuple[int, str]]:
        for line_number, raw in enumerate(content.splitlines(), first_line):
            try:
                yield line_number, raw.decode(_encoding(line_number))
            except UnicodeDecodeError:
                raise ManifestError(f"{self._path}: line {line_number}: not UTF-8 text") from None


def duplicate_error(clip_id: str, where: str) -> ManifestError:
    """The error for a clip whose lines are not adjacent."""
    return ManifestError(f"{where}: {clip_id!r} occurred before; all lines of a clip must be adjacent")


def _encoding(line_number: int) -> str:
    return "utf-8-sig" if line_number == 1 else "utf-8"


def _open(path: Path) -> BinaryIO:
    """Open a file. A gzipped file is decompressed into a temporary one."""
    with read_errors(str(path)):
        if path.suffix.lower() != ".gz":
            return path.open("rb")
        limit = max_inflated(path)
        with gzip.open(path) as compressed:
            decompressed = tempfile.TemporaryFile()  # noqa: SIM115
            while chunk := compressed.read(1 << 20):
                if decompressed.tell() > limit:
                    raise inflated_error(str(path))
                decompressed.write(chunk)
            decompressed.seek(0)
            return cast(BinaryIO, decompressed)
