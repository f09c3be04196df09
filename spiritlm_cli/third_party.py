"""Guarded imports: packages of optional extras, and a torchaudio that may not fit the installed torch."""

import contextlib
import functools
import logging
import sys
import warnings
from collections.abc import Iterator

from spiritlm_cli.errors import MissingPackageError


@contextlib.contextmanager
def needs_extra(package: str, extra: str, purpose: str) -> Iterator[None]:
    """Import a package of an optional extra inside the block.

        with needs_extra("jiwer", extra="evaluate", purpose="error rates"):
            import jiwer

    Raises MissingPackageError, with the pip command that installs the extra, if an import in the block fails.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        reason = f"{package} is not installed; it is needed for {purpose}"
        raise MissingPackageError(f"{reason}; try: pip install 'spiritlm[{extra}]'") from error
    except ImportError as error:
        reason = f"{package}, which is needed for {purpose}, can't be imported ({error})"
        raise MissingPackageError(f"{reason}; try: pip install 'spiritlm[{extra}]'") from error


@functools.cache
def torchaudio_works() -> bool:
    """Return whether torchaudio can be imported, and import it if so.

    torchaudio has compiled parts that fit one build of torch only. Beside another build its import fails.
    """
    try:
        import torchaudio  # noqa: F401
    except (
        Exception
    ):  # the type depends on what doesn't fit: ImportError, OSError, RuntimeError, AttributeError
        return False
    return True


@contextlib.contextmanager
def hide_broken_torchaudio() -> Iterator[None]:
    """Import transformers inside the block: a torchaudio that can't be imported looks uninstalled there.

    transformers imports torchaudio if it is installed, and would fail.
    Raises MissingPackageError if Python runs without docstrings, from which transformers makes code.
    """
    if sys.flags.optimize > 1:
        raise MissingPackageError(
            "the package transformers can't run without docstrings; start Python without -OO, and unset PYTHONOPTIMIZE"
        )
    if torchaudio_works():
        yield
        return
    sys.modules["torchaudio"] = None  # type: ignore[assignment]  # the import system takes None for "not installed"
    try:
        yield
    finally:
        sys.modules.pop("torchaudio", None)


@contextlib.contextmanager
def silence_transformers() -> Iterator[None]:
    """Turn off the progress bars, log messages and warnings of transformers, which is imported already."""
    from transformers.utils import logging as transformers_logging

    bars, level = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
