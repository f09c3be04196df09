"""The one place where torchaudio is imported, and where it is decided whether it can be.

It is a package of compiled parts that fit one build of torch; beside another it is found, but its import fails.
Nothing here needs it, yet two libraries import it where they find it: transformers, and torchfcpe.
"""

import contextlib
import functools
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType


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
    with _in_place_of_torchaudio({"torchaudio": None}):
        yield


@contextlib.contextmanager
def torchaudio_resample() -> Iterator[None]:
    """Within it, `torchaudio.transforms.Resample` can be imported; it is None where torchaudio doesn't work."""
    torchaudio, transforms = ModuleType("torchaudio"), ModuleType("torchaudio.transforms")
    transforms.Resample = None  # type: ignore[attr-defined]
    with _in_place_of_torchaudio({"torchaudio": torchaudio, "torchaudio.transforms": transforms}):
        yield


@contextlib.contextmanager
def _in_place_of_torchaudio(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    if torchaudio_works():
        yield
        return
    sys.modules.update(modules)  # type: ignore[arg-type]  # None: the import system takes it for missing
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)
