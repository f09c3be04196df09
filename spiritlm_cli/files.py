"""Files: atomic writes, reads with typed errors, and the standard streams."""

import errno
import fcntl
import io
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from spiritlm_cli.errors import ManifestError, SpiritLMError

# Some writers choose the format by the suffix, so a temporary file keeps it, unless it is no ordinary suffix.
_MAX_SUFFIX = 16


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give the path of a temporary file that replaces `path` when the block ends without an error.

    The temporary file is in the folder of `path` and has its suffix. Its name is short and independent of the name of
    `path`, so a name of the maximum length can be written too. Its content is on the disk before it is renamed. If the
    block raises, the temporary file is removed and `path` is unchanged. If `path` is a symbolic link, its target is
    replaced. Folders that are missing are not created.
    Raises IsADirectoryError if `path` is a folder, and OSError if the file can't be written.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path = path.resolve()
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _MAX_SUFFIX else ""
    temporary = path.with_name(f".tmp-{secrets.token_hex(4)}{suffix}")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def open_atomic(path: Path) -> Iterator[io.FileIO]:
    """Open a new, unbuffered file that replaces `path` when the block ends without an error; see `atomic_path`."""
    with atomic_path(path) as temporary, temporary.open("xb", buffering=0) as file:
        yield file


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically, and create its folder if it is missing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, and create its folder if it is missing. Line ends stay as they are."""
    write_bytes(path, text.encode())


def read_bytes(path: Path | str, error_type: type[SpiritLMError] = ManifestError) -> bytes:
    """Return the content of a file. Raises `error_type`, with the path and the reason, if it can't be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise error_type(f"{path}: no such file") from None
    except OSError as error:
        raise error_type(f"{path}: can't be read ({error.strerror or error})") from None


def standard_input() -> BinaryIO:
    """Return standard input as a binary stream.

    `sys.stdin.buffer` is not used: the interpreter closes it at exit, and aborts if a thread is reading it then.
    """
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except io.UnsupportedOperation:  # a test replaced sys.stdin
        return sys.stdin.buffer


def reserve_stdout() -> None:
    """Keep the standard output for `sys.stdout`: point descriptor 1 to stderr, and `sys.stdout` to a copy of it.

    What C code and child processes print then goes to stderr, never among the data. It stays so until the process ends,
    because C code may buffer what it prints until then. Call it once, before anything is printed. Does nothing if
    `sys.stdout` is replaced.
    """
    if sys.stdout is not sys.__stdout__:
        return
    stdout: Any = sys.stdout
    # Not descriptor 2, which is free if stderr is closed.
    copy = None if stdout is None else fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    try:
        os.dup2(2, 1)
    except OSError:  # stderr is closed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 1:
            os.dup2(nowhere, 1)
            os.close(nowhere)
    if copy is None:  # stdout is closed
        return
    stdout.flush()
    raw = io.FileIO(copy, "w")
    binary = raw if isinstance(stdout.buffer, io.RawIOBase) else io.BufferedWriter(raw)
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(  # type: ignore[misc]
        binary, stdout.encoding, stdout.errors, "\n", stdout.line_buffering, stdout.write_through
    )


def is_stdout(path: Path | str) -> bool:
    """Whether a path names the standard output. It has to be written by `sys.stdout`, see `reserve_stdout`."""
    return str(path) in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def _sync(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
