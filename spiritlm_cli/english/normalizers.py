"""The normal forms in which transcripts are compared: Whisper's, and `normalize`."""

import functools
import importlib.metadata
from collections.abc import Callable
from typing import Literal

from spiritlm_cli.english.normalize import normalize
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.third_party import needs_extra

# whisper: OpenAI's normalizer for English, under which most published error rates are measured. spoken: `normalize`.
NormalizerName = Literal["whisper", "spoken"]
Normalizer = Callable[[str], str]


@functools.cache
def load_normalizer(name: NormalizerName) -> Normalizer:
    """Return the function that brings a text to a normal form.

    Raises ValueError for an unknown name, and MissingPackageError without whisper-normalizer if it is needed.
    """
    if name == "spoken":
        return normalize
    if name != "whisper":
        raise ValueError(f"the normalizers are whisper and spoken, not {name!r}")
    with needs_extra("whisper-normalizer", extra="evaluate", purpose="--normalizer whisper"):
        from whisper_normalizer.english import EnglishTextNormalizer
    whisper = EnglishTextNormalizer()

    def whisper_normalize(text: str) -> str:
        try:
            return " ".join(whisper(text).split())
        except (AssertionError, ValueError):  # digits beyond `sys.get_int_max_str_digits()`
            raise ManifestError("a number of thousands of digits can't be normalized") from None

    return whisper_normalize


def describe_normalizer(name: NormalizerName) -> str:
    """Return the name of a normalizer, with the version of its package: `whisper (whisper-normalizer 0.1.15)`."""
    load_normalizer(name)
    if name == "spoken":
        return name
    return f"{name} (whisper-normalizer {importlib.metadata.version('whisper-normalizer')})"
