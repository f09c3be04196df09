"""Output lines: to stdout, or to a file that gets its name when it is complete."""

import errno
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from spiritlm_cli.checkpoints.layout import Checkpoint
from spiritlm_cli.console import is_verbose
from spiritlm_cli.errors import ResumeError
from spiritlm_cli.files import is_stdout
from spiritlm_cli.jobs.journal import part_of
from spiritlm_cli.tokens.sequence import Header
from spiritlm_cli.tokens.writer import check_id, format_header


@dataclass(frozen=True)
class OutputLine:
    """A line of output. value: without the id; id: what stands before it, where ids are written.

    whole: the value is the whole line (a JSON object, CTM), and no id is put before it.
    """

    value: str
    id: str | None = None
    whole: bool = False


@dataclass(frozen=True)
class Result:
    """What a job computed for one input: its lines, seconds of audio; warnings and a report for people."""

    lines: tuple[OutputLine, ...]
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    report: str = ""


class LineWriter:
    """Writes lines to stdout (None, "-"), or to a file: `FILE.part`, which becomes FILE when all is written.

    What is no ordinary file, such as /dev/null or a named pipe, is written to directly.
    """

    def __init__(
        self,
        path: Path | None = None,
        ids: bool | None = None,
        kept: int = 0,
        lines: int = 0,
        on_lock: Callable[[], None] = lambda: None,
    ) -> None:
        """ids: True gives each line an id (its number where it has none), False drops ids, None leaves them.

        kept: bytes of FILE.part that a resumed run keeps; lines: how many lines they are, without header; on_lock:
        called when FILE.part is locked, before its content changes.
        """
        self._path = None if path is None or is_stdout(path) else path
        self._ids = ids
        self._kept = kept
        self._lines = lines
        self._on_lock = on_lock
        self._stream: BinaryIO = sys.stdout.buffer
        self.size = kept

    def __enter__(self) -> "LineWriter":
        if self._path is None:
            return self
        self._part = self._path
        if self._path.exists() and not self._path.is_file():
            self._stream = self._path.open("wb")
            return self
        self._path = self._path.resolve()  # a link stays a link
        self._part = part_of(self._path)
        self._stream = self._part.open("ab")
        try:
            self._lock()
            if self._stream.tell() < self._kept:
                raise ResumeError(
                    f"{self._part}: is shorter than its journal says; remove both to begin again"
                )
            self._begin()
        except BaseException:
            self._stream.close()
            raise
        return self

    def _begin(self) -> None:
        """Call `on_lock`, and drop what is written after the bytes to keep."""
        try:
            self._on_lock()
            self._stream.truncate(self._kept)
        except BaseException:
            if not self._stream.tell():
                self._part.unlink()
            raise

    def _lock(self) -> None:
        """Raise ResumeError if another run writes FILE.part, or has renamed it since it was opened."""
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems have no locks.
            is_ours = error.errno in (errno.ENOLCK, errno.EOPNOTSUPP)
        else:
            opened = os.fstat(self._stream.fileno())
            is_ours = self._part.exists() and os.path.samestat(opened, self._part.stat())
        if not is_ours:
            raise ResumeError(f"{self._part}: another run is writing it")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is None:
            return
        if self._part == self._path:
            self._stream.close()
        elif kind is None:
            os.fsync(self._stream.fileno())
            self._part.replace(self._path)
            self._stream.close()
        else:
            if not self.size:
                self._part.unlink(missing_ok=True)
            self._stream.close()

    def write(self, line: OutputLine) -> None:
        """Write a line at once. Raises TokenError for an id that a line can't hold."""
        if line.whole:
            self._lines += 1
            self.write_text(line.value)
        else:
            self.write_text(self._prefix(line.id) + line.value)

    def begin(self, id: str | None) -> None:  # noqa: A002
        """Begin a line, with its id; `write_part` continues and `write_text` ends it. Raises TokenError."""
        if prefix := self._prefix(id):
            self.write_part(prefix)

    def _prefix(self, id: str | None) -> str:  # noqa: A002
        """What stands before the value of the next line."""
        if id is not None:
            check_id(id)
        self._lines += 1
        if self._ids and id is None:
            id = str(self._lines)  # noqa: A001
        return "" if id is None or self._ids is False else f"{id}\t"

    def write_part(self, text: str) -> None:
        """Write the beginning of a line, or more of it, at once."""
        content = text.encode()
        self._stream.write(content)
        self._stream.flush()
        self.size += len(content)

    def write_text(self, text: str) -> None:
        """Write text and a line end, at once."""
        self.write_part(text + "\n")


def header_of(checkpoint: Checkpoint) -> str:
    """The header line of a checkpoint's tokens."""
    return format_header(Header(checkpoint.name, checkpoint.fingerprint()))


@contextmanager
def data_only() -> Iterator[None]:
    """Keep what libraries print out of the data on stdout: with -v it goes to stderr, else nowhere."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(sys.stderr if is_verbose() else nowhere):
        yield
