"""Functions that numba compiles, cached on disk."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import FunctionCache

from spiritlm_cli.console import log

Function = TypeVar("Function", bound=Callable[..., Any])


def compile_function(signature: str) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function with numba, and caches the result on disk if possible.

    A cache that can't be read, as after a crash or on a disk that was full, is written again.
    """
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}

    def compiled(function: Function) -> Function:
        try:
            result: Function = njit(signature, cache=True, **options)(function)
        except Exception:  # what a damaged pickle raises may be of any type
            with suppress(Exception):  # there is no folder for the cache, or the disk is full
                files = FunctionCache(function)
                files.flush()
                result = njit(signature, cache=True, **options)(function)
                _report_damage(files.cache_path)
                return result
            result = njit(signature, **options)(function)
        return result

    return compiled


@cache
def _report_damage(folder: str) -> None:
    """Say once that the compiled functions in a folder were written again."""
    log.warning("%s: the compiled functions there were damaged, and have been compiled again", folder)
