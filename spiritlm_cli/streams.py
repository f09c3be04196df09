"""The standard streams, and the other paths that are written to and not replaced."""

import errno
import fcntl
import io
import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from spiritlm_cli.files import naming

# The descriptor that a path names: 1 for /dev/stdout. Opening it again would truncate the file behind it.
_DESCRIPTOR = re.compile(r"/dev/(?:fd/|std)(\d+|in|out|err)|/proc/(?:self|thread-self|\d+)/fd/(\d+)")
_STANDARD = {"in": 0, "out": 1, "err": 2}


def open_standard_streams() -> None:
    """Open the standard streams that the process was started without (`>&-`), so that using one is an error.

    Otherwise the next file that is opened would get the number of a closed stream, and what is printed would be
    written into it. Messages to a closed stderr are dropped. Call it first.
    """
    # Each is opened for the wrong direction, except stderr.
    for number, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest number that is free
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def standard_input() -> BinaryIO:
    """Return standard input as a binary stream. Raises OSError if it is closed.

    `sys.stdin.buffer` is not used: the interpreter closes it at exit, and aborts if a thread is reading it then.
    """
    try:
        descriptor = sys.stdin.fileno()
    except io.UnsupportedOperation:  # a test replaced sys.stdin
        return sys.stdin.buffer
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
        raise OSError(errno.EBADF, "is closed", "stdin")
    return open(descriptor, "rb", closefd=False)


def set_encodings() -> None:
    """Write UTF-8 to stdout whatever the locale is, except on a terminal; replace what a terminal can't show.

    Bytes of file names that are not UTF-8 are written as they are.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream is sys.stdout and not stream.isatty():
                stream.reconfigure(encoding="utf-8", errors="surrogateescape")
            elif stream.errors != "backslashreplace":
                stream.reconfigure(errors="backslashreplace")


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


def is_written_through(path: Path) -> bool:
    """Whether a path is written to and not replaced: a device, a named pipe, or an open file, such as /dev/fd/3."""
    if _descriptor_of(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:  # missing, or a name that is too long; opening it reports the latter
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def open_through(path: Path) -> io.FileIO:
    """Open a path that `is_written_through`. Nothing is truncated. Raises OSError."""
    descriptor = _descriptor_of(path)
    if descriptor == 1:
        with suppress(io.UnsupportedOperation):
            descriptor = sys.stdout.fileno()  # see `reserve_stdout`
    with naming(path):
        return io.FileIO(os.open(path, os.O_WRONLY) if descriptor is None else os.dup(descriptor), "w")


def _descriptor_of(path: Path) -> int | None:
    """The number of the open file that a path names, also through links; None for other paths."""
    path = path.absolute()
    for _ in range(40):
        if match := _DESCRIPTOR.fullmatch(str(path)):
            number = match[1] or match[2]
            return _STANDARD[number] if number in _STANDARD else int(number)
        try:
            path = path.parent / path.readlink()
        except OSError:  # no link, missing, or a name that is too long
            return None
    return None
