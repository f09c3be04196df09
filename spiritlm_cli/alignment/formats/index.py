"""Files that hold the words of many clips, each found by its id."""

import gzip
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from spiritlm_cli.errors import ManifestError

# From a line, and where it stands, to the id of its clip; None for a line of none.
IdOf = Callable[[str, str], str | None]


class _Place(NamedTuple):
    offset: int
    length: int
    line: int


class LineIndex:
    """The lines of each clip in a file, which may be gzipped. In memory is only where they are.

    A clip's lines are in one place: for one whose lines come again later, asking is an error.
    Safe to ask from several threads and after a fork, as nothing moves in the file.
    """

    def __init__(self, path: Path, id_of: IdOf) -> None:
        """Reads the file once. Raises ManifestError where it can't be read."""
        self._path = path
        self._places: dict[str, _Place | ManifestError] = {}
        self._damaged: ManifestError | None = None
        self._file = _opened(path)
        self._scan(id_of)

    def find(self, clip_id: str) -> list[tuple[int, str]] | None:
        """The numbered lines of a clip; None where the file has none.

        Raises ManifestError where they can't be used; and, as it could have been this clip's, for a line
        elsewhere that isn't known to be of another.
        """
        place = self._places.get(clip_id)
        if place is None and self._damaged:
            raise ManifestError(f"{clip_id!r} isn't there, and this line can't be read: {self._damaged}")
        if place is None:
            return None
        if isinstance(place, ManifestError):
            raise place
        content = os.pread(self._file.fileno(), place.length, place.offset)
        return list(self._decoded(content, place.line))

    def close(self) -> None:
        self._file.close()

    def _scan(self, id_of: IdOf) -> None:
        offset = 0
        last: str | None = None
        for number, raw in enumerate(self._file, 1):
            where = f"{self._path}: line {number}"
            try:
                # what isn't UTF-8 is an error when the clip is asked for
                clip_id = id_of(raw.decode(_encoding(number), "replace"), where)
            except ManifestError as error:
                self._damaged = self._damaged or error
                clip_id = None
            if clip_id is not None:
                self._add(clip_id, _Place(offset, len(raw), number), clip_id == last, where)
                last = clip_id
            offset += len(raw)

    def _add(self, clip_id: str, place: _Place, goes_on: bool, where: str) -> None:
        before = self._places.get(clip_id)
        if before is None:
            self._places[clip_id] = place
        elif isinstance(before, _Place):
            if goes_on:
                length = place.offset + place.length - before.offset
                self._places[clip_id] = before._replace(length=length)
            else:
                self._places[clip_id] = duplicate_error(clip_id, where)

    def _decoded(self, content: bytes, first: int) -> Iterator[tuple[int, str]]:
        for number, raw in enumerate(content.split(b"\n"), first):
            try:
                yield number, raw.decode(_encoding(number))
            except UnicodeDecodeError:
                raise ManifestError(f"{self._path}: line {number}: not UTF-8 text") from None


def _encoding(line: int) -> str:
    return "utf-8-sig" if line == 1 else "utf-8"


def duplicate_error(clip_id: str, where: str) -> ManifestError:
    return ManifestError(f"{where}: {clip_id!r} was there before; all that is of it must be in one place")


def _opened(path: Path) -> IO[bytes]:
    """The file, or, of a gzipped one, what is in it."""
    try:
        if path.suffix.lower() != ".gz":
            return path.open("rb")
        with gzip.open(path) as packed:
            unpacked = tempfile.TemporaryFile()  # noqa: SIM115
            shutil.copyfileobj(packed, unpacked)
            unpacked.seek(0)
            return unpacked
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ManifestError(f"{path}: gzip data is cut off or damaged") from None
    except OSError as error:
        raise ManifestError(f"{path}: can't be read ({error.strerror or error})") from None
