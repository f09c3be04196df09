"""Drop what C libraries write to stderr beside our own messages.

libmpg123 explains why a file can't be opened, and reports missing bits of the frames before the place that a reader has
sought to, which are not used.
"""

import ctypes
import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_count = 0
_saved: int | None = None


@contextmanager
def drop_c_messages() -> Iterator[None]:
    """Drop what C code writes to its variable `stderr` in the block, in all threads.

    Messages of Python and of child processes are not affected: they use descriptor 2. Does nothing without glibc, as
    elsewhere the variable may be constant.
    """
    global _count, _saved
    streams = _streams()
    if streams is None:
        yield
        return
    variable, nowhere = streams
    with _lock:
        if not _count:
            _saved, variable.value = variable.value, nowhere
        _count += 1
    try:
        yield
    finally:
        with _lock:
            _count -= 1
            if not _count:
                variable.value = _saved


@functools.cache
def _streams() -> tuple[ctypes.c_void_p, int] | None:
    """Return the variable `stderr` of C, and a stream that drops what is written to it."""
    if "CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", {}):
        return None
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    nowhere = libc.fopen(os.fsencode(os.devnull), b"w")
    return (ctypes.c_void_p.in_dll(libc, "stderr"), nowhere) if nowhere else None
