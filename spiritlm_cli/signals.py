"""The end of a command by SIGINT, SIGTERM or SIGHUP: at any moment, quietly, and without leaving temporary files.

An exception for a signal would be raised wherever the program is: in an import, which then fails with another error, or
in a callback of a C library, which drops it. The handler therefore ends the process itself, after the clean-up that
the running code has registered with `on_signal`.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))

# Seconds after which cleanups are given up.
_PATIENCE = 5

Cleanup = Callable[[], str | None]

# By the process that registered it: a forked process leaves its parent's files alone.
_cleanups: dict[object, tuple[int, Cleanup]] = {}


def end_on_signals() -> None:
    """End the process at SIGINT, SIGTERM and SIGHUP with the exit status 130, 143 and 129.

    A signal that is ignored already, such as SIGHUP under nohup, stays ignored. Does nothing outside the main thread.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            with suppress(ValueError):
                signal.signal(number, _end)


@contextmanager
def on_signal(cleanup: Cleanup) -> Iterator[None]:
    """Call `cleanup` if a signal ends the process in the block; cleanups are called in the reverse order.

    cleanup: removes what is temporary, and returns a line for the user about what is kept, or None. It can be called
    between any two instructions of the block.
    """
    key = object()
    _cleanups[key] = os.getpid(), cleanup
    try:
        yield
    finally:
        del _cleanups[key]


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Start processes in the block that SIGINT does not reach, which a terminal sends to all of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(number: int, frame: FrameType | None) -> None:
    """Clean up, print what is kept, and end the process."""
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    # A cleanup may wait for a disk, or for a lock that the interrupted code holds.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + number))
    signal.alarm(_PATIENCE)
    messages = []
    for process, cleanup in reversed(list(_cleanups.values())):
        with suppress(BaseException):
            if process == os.getpid() and (message := cleanup()):
                messages.append(message)
    with suppress(BaseException):
        _end_children()
    with suppress(OSError):
        # Not by `print`, which may be what was interrupted.
        os.write(2, "".join(f"spiritlm: {message}\n" for message in messages).encode(errors="replace"))
    os._exit(128 + number)


def _end_children() -> None:
    """End the processes that this one started by multiprocessing."""
    if "multiprocessing" in sys.modules:
        for child in sys.modules["multiprocessing"].active_children():
            child.terminate()
