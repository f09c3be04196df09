"""The one place where torchaudio is imported, and where it is decided whether it can be.

It is a package of compiled parts that fit one build of torch; beside another it is found, but its import fails.
Nothing here needs it, yet transformers imports it where it is found.
"""

import contextlib
import functools
import sys
from collections.abc import Iterator


@functools.cache
def torchaudio_works() -> bool:
    """Whether torchaudio can be imported; if so, it is from now on."""
    try:
        import torchaudio  # noqa: F401
    except Exception:  # ImportError, OSError, RuntimeError, AttributeError: it depends on what doesn't fit
        return False
    return True


@contextlib.contextmanager
def broken_torchaudio_hidden() -> Iterator[None]:
    """Within it, a torchaudio that can't be imported isn't found either."""
    if torchaudio_works():
        yield
        return
    sys.modules["torchaudio"] = None  # type: ignore[assignment]  # to the import system: missing
    try:
        yield
    finally:
        sys.modules.pop("torchaudio", None)
