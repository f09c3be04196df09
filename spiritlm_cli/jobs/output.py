"""Output lines: to stdout, or to a file that gets its name when it is complete."""

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.console import is_verbose
from spiritlm_cli.errors import ResumeError
from spiritlm_cli.files import lock_file, naming, remove_leftovers, resolve_file, sync_folder
from spiritlm_cli.jobs.journal import journal_of, part_of, running
from spiritlm_cli.streams import is_stdout, is_written_through, open_through
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
        if is_written_through(self._path):
            self._stream = open_through(self._path)
            return self
        target = resolve_file(self._path)  # a link stays a link
        self._path, self._part = target, part_of(target)
        remove_leftovers(target.parent)
        self._stream = _open_part(self._part, target)
        try:
            if not self._is_ours():
                raise ResumeError(f"{self._part}: {running(journal_of(target))} is writing it")
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

    def _is_ours(self) -> bool:
        """Whether no other run writes FILE.part, or has renamed it since it was opened."""
        descriptor = self._stream.fileno()
        return (
            lock_file(descriptor)
            and self._part.exists()
            and os.path.samestat(os.fstat(descriptor), self._part.stat())
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is None:
            return
        with self._stream, naming(self._path):
            if self._part == self._path:
                return
            if kind is None:
                self.sync()
                self._part.replace(self._path)
                sync_folder(self._path.parent)
            else:
                self.discard_empty()

    def sync(self) -> None:
        """Wait until what is written is on the disk, where it is an ordinary file."""
        if self._path and self._part != self._path:
            os.fsync(self._stream.fileno())

    def discard_empty(self) -> None:
        """Remove FILE.part if there is nothing in it."""
        if self._path and self._part != self._path and not self.size:
            self._part.unlink(missing_ok=True)

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
        with naming(self._path or "stdout"):
            self._stream.write(content)
            self._stream.flush()
        self.size += len(content)

    def write_text(self, text: str) -> None:
        """Write text and a line end, at once."""
        self.write_part(text + "\n")


def _open_part(part: Path, target: Path) -> BinaryIO:
    """Open FILE.part to append to it. A new one has the permissions of FILE, if that exists.

    Raises OSError for what is no ordinary file: a link planted there would send the output elsewhere.
    """
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    begun = part.exists()
    try:
        descriptor = os.open(part, flags, 0o666 if mode is None else 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise OSError(error.errno, "not an ordinary file; remove it", str(part)) from None
        raise
    stream = os.fdopen(descriptor, "ab")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "not an ordinary file; remove it", str(part))
    if mode is not None and not begun:
        os.fchmod(descriptor, mode)
    return stream


def header_of(checkpoint: Checkpoint) -> str:
    """The header line of a checkpoint's tokens."""
    return format_header(Header(checkpoint.name, checkpoint.fingerprint()))


@contextmanager
def data_only() -> Iterator[None]:
    """Keep what libraries print out of the data on stdout: with -v it goes to stderr, else nowhere."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(sys.stderr if is_verbose() else nowhere):
        yield
