"""Spirit LM: speech and text as one stream of plain-text tokens.

This module is the public Python interface. Its names are imported when they are first used, so `import spiritlm_cli`
loads neither torch nor transformers.
"""

from importlib import import_module

# Not from `typing`: the sooner the command handles signals, the better.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from spiritlm_cli.audio.reading import read_audio
    from spiritlm_cli.audio.writing import write_audio
    from spiritlm_cli.errors import (
        AlignmentError,
        AudioError,
        CheckpointError,
        ManifestError,
        MissingPackageError,
        OptionError,
        OutOfMemoryError,
        ResumeError,
        SpiritLMError,
        TokenError,
    )
    from spiritlm_cli.interleaving.interleave import interleave
    from spiritlm_cli.interleaving.spans import SpanOptions
    from spiritlm_cli.language.generator import GenerationRequest
    from spiritlm_cli.language.hypothesis import Generation
    from spiritlm_cli.language.model import LanguageModel
    from spiritlm_cli.language.sampling import Sampling
    from spiritlm_cli.language.scoring import Score
    from spiritlm_cli.manifests.clip import Alignment, Clip, Waveform, Word
    from spiritlm_cli.speech.tokenizer import SpeechTokenizer
    from spiritlm_cli.tokens.reader import parse_line, parse_sequence
    from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan, TextSpan
    from spiritlm_cli.tokens.units import Unit, Units
    from spiritlm_cli.tokens.writer import format_line, format_sequence
    from spiritlm_cli.vocoder.vocoder import Vocoder

__version__ = "0.2.0"

__all__ = [
    "Alignment",
    "AlignmentError",
    "AudioError",
    "CheckpointError",
    "Clip",
    "Generation",
    "GenerationRequest",
    "LanguageModel",
    "Line",
    "ManifestError",
    "MissingPackageError",
    "OptionError",
    "OutOfMemoryError",
    "ResumeError",
    "Sampling",
    "Score",
    "Sequence",
    "SpanOptions",
    "SpeechSpan",
    "SpeechTokenizer",
    "SpiritLMError",
    "TextSpan",
    "TokenError",
    "Unit",
    "Units",
    "Vocoder",
    "Waveform",
    "Word",
    "format_line",
    "format_sequence",
    "interleave",
    "parse_line",
    "parse_sequence",
    "read_audio",
    "write_audio",
]

# The module that defines each public name.
_MODULES = {
    "audio.reading": ("read_audio",),
    "audio.writing": ("write_audio",),
    "errors": (
        "AlignmentError",
        "AudioError",
        "CheckpointError",
        "ManifestError",
        "MissingPackageError",
        "OptionError",
        "OutOfMemoryError",
        "ResumeError",
        "SpiritLMError",
        "TokenError",
    ),
    "interleaving.interleave": ("interleave",),
    "interleaving.spans": ("SpanOptions",),
    "language.generator": ("GenerationRequest",),
    "language.hypothesis": ("Generation",),
    "language.model": ("LanguageModel",),
    "language.sampling": ("Sampling",),
    "language.scoring": ("Score",),
    "manifests.clip": ("Alignment", "Clip", "Waveform", "Word"),
    "speech.tokenizer": ("SpeechTokenizer",),
    "tokens.reader": ("parse_line", "parse_sequence"),
    "tokens.sequence": ("Line", "Sequence", "SpeechSpan", "TextSpan"),
    "tokens.units": ("Unit", "Units"),
    "tokens.writer": ("format_line", "format_sequence"),
    "vocoder.vocoder": ("Vocoder",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> "Any":
    """Import a public name from its module when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
