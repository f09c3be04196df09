"""Imports that take less of the start of a command."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Import a job inside the block without garbage collection, which later leaves out what was imported.

    Modules stay until the end, so nothing is found in them. Searching them takes a quarter of the import of torch, and
    as much again when the command ends.
    """
    modules = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > modules:
            gc.freeze()
        gc.enable()
