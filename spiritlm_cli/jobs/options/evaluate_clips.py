"""Options of the tasks of `spiritlm evaluate` over clips."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions, language_model_dtype_option, normalizer_option
from spiritlm_cli.jobs.options.judges import asr_option
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart, VocoderPart
from spiritlm_cli.jobs.options.shared import Dtype
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class EvaluateClipsOptions(EvaluateOptions):
    """Options of the tasks over clips."""

    manifest: Path = option(
        ...,
        "Manifest: TSV or CSV with a header line, or JSONL. Fields: id, audio, text, and optionally speaker.",
        metavar="FILE",
        reads=True,
        group="input",
    )
    normalizer: NormalizerName = normalizer_option()

    def check(self) -> None:
        """Raise OptionError for an output that is an input, OSError if the manifest does not exist."""
        super().check()
        if str(self.manifest) != "-":
            self.manifest.stat()


@dataclass(frozen=True, kw_only=True)
class AsrOptions(TokenizerPart, LanguageModelPart, EvaluateClipsOptions):
    """Options of `spiritlm evaluate asr`."""

    task: ClassVar[str] = "asr"

    form: str | None = option(
        None,
        "Prompt in the form of a task without examples, as generate --task: asr, or the file of a template "
        "(default: the speech alone).",
        "--task",
        metavar="TASK",
        group="continuation",
    )
    max_new_tokens: int = option(50, "Maximum number of generated tokens.", minimum=1, group="continuation")
    dtype: Dtype | None = language_model_dtype_option()


@dataclass(frozen=True, kw_only=True)
class TtsOptions(LanguageModelPart, VocoderPart, EvaluateClipsOptions):
    """Options of `spiritlm evaluate tts`."""

    task: ClassVar[str] = "tts"

    asr: str = asr_option()
    speaker: str | None = option(
        None, "Voice, by name or index.", metavar="NAME|N", default_text="the model's", group="speech"
    )
    max_new_tokens: int = option(300, "Maximum number of generated tokens.", minimum=1, group="continuation")
    seed: int = option(0, "Random seed.", metavar="N", minimum=0, group="sampling")
    dtype: Dtype | None = language_model_dtype_option()
