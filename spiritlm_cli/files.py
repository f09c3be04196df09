"""Standard input for threads that may wait for it when the program ends."""

import io
import sys
from typing import BinaryIO


def standard_input() -> BinaryIO:
    """The bytes of standard input.

    Not `sys.stdin.buffer`: the interpreter closes that when it ends, and aborts where a thread is just reading it.
    """
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except io.UnsupportedOperation:  # what a test puts in its place
        return sys.stdin.buffer
