"""Options of `spiritlm evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.judges import asr_option
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart, VocoderPart
from spiritlm_cli.jobs.options.paths import check_paths
from spiritlm_cli.jobs.options.shared import (
    Dtype,
    FailureOptions,
    ModelOptions,
    OnError,
    batch_seconds_option,
    workers_option,
)
from spiritlm_cli.options import option


def normalizer_option() -> Any:
    """Declare `--normalizer`."""
    text = (
        "Normal form in which texts are compared. whisper: OpenAI's normalizer, usual for published error rates. "
        "spoken: numbers and abbreviations as words."
    )
    return option("whisper", text, group="scoring")


def language_model_dtype_option() -> Any:
    """Declare `--dtype` of the language model."""
    text = "Data type of the language model."
    return option(None, text, default_text="float32 on a CPU, else bfloat16", group="execution")


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(FailureOptions, ModelOptions):
    """Options of all benchmarks."""

    limit: int | None = option(
        None, "Use only the first N clips or pairs.", metavar="N", minimum=1, group="input"
    )
    as_json: bool = option(False, "Print one JSON object instead of a table.", "--json", group="output")
    items: Path | None = option(
        None,
        "Also write the result of each clip or pair to this file, as JSONL.",
        metavar="FILE",
        group="output",
        writes="text",
    )
    on_error: OnError = option(
        "fail",
        "At a clip or pair that can't be used: stop, or skip it, continue, and exit with status 1.",
        group="output",
        execution=True,
    )


@dataclass(frozen=True, kw_only=True)
class ClipBenchmarkOptions(EvaluateOptions):
    """Options of the benchmarks over clips."""

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
        check_paths(self)
        if str(self.manifest) != "-":
            self.manifest.stat()


@dataclass(frozen=True, kw_only=True)
class ResynthesisOptions(TokenizerPart, VocoderPart, ClipBenchmarkOptions):
    """Options of `spiritlm evaluate resynthesis`."""

    asr: str = asr_option()
    speaker: str | None = option(
        None,
        "Voice, by name or index; same: the voice with the name of the clip's speaker, if there is one.",
        metavar="NAME|N|same",
        default_text="the model's",
        group="speech",
    )


@dataclass(frozen=True, kw_only=True)
class AsrOptions(TokenizerPart, LanguageModelPart, ClipBenchmarkOptions):
    """Options of `spiritlm evaluate asr`."""

    task: str | None = option(
        None,
        "Prompt in the form of a task without examples, as generate --task: asr, or the file of a template "
        "(default: the speech alone).",
        metavar="TASK",
        group="continuation",
    )
    max_new_tokens: int = option(50, "Maximum number of generated tokens.", minimum=1, group="continuation")
    dtype: Dtype | None = language_model_dtype_option()


@dataclass(frozen=True, kw_only=True)
class TtsOptions(LanguageModelPart, VocoderPart, ClipBenchmarkOptions):
    """Options of `spiritlm evaluate tts`."""

    asr: str = asr_option()
    speaker: str | None = option(
        None, "Voice, by name or index.", metavar="NAME|N", default_text="the model's", group="speech"
    )
    max_new_tokens: int = option(300, "Maximum number of generated tokens.", minimum=1, group="continuation")
    seed: int = option(0, "Random seed.", metavar="N", minimum=0, group="sampling")
    dtype: Dtype | None = language_model_dtype_option()


@dataclass(frozen=True, kw_only=True)
class PairsOptions(TokenizerPart, LanguageModelPart, EvaluateOptions):
    """Options of `spiritlm evaluate pairs`."""

    path: Path = option(
        ...,
        "Table with the columns good and bad (token lines or text), and optionally id, type and given.",
        metavar="TSV|-",
        argument=True,
        reads=True,
        group="input",
    )
    dtype: Dtype | None = language_model_dtype_option()

    def check(self) -> None:
        """Raise OptionError for an output that is an input, OSError if the input does not exist."""
        check_paths(self)
        if str(self.path) != "-":
            self.path.stat()


@dataclass(frozen=True, kw_only=True)
class ZeroSpeechOptions(PairsOptions):
    """Options of the benchmarks of ZeroSpeech 2021."""

    text: bool = option(False, "Score the words or sentences as text, not as speech.", group="scoring")
    submission: Path | None = option(
        None,
        "Also write ZeroSpeech's submission files to this folder: the mean log-likelihood of each WAV file.",
        metavar="FOLDER",
        group="output",
        writes="folder",
    )
    batch_seconds: float | None = batch_seconds_option()
    workers: int = workers_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError if the input does not exist."""
        super().check()
        if self.submission and (self.text or self.limit):
            other = "--text" if self.text else "--limit"
            raise OptionError(f"needs the scores of all WAV files, so it excludes {other}", "--submission")


@dataclass(frozen=True, kw_only=True)
class WuggyOptions(ZeroSpeechOptions):
    """Options of `spiritlm evaluate wuggy`."""

    path: Path = option(
        ...,
        "Folder of ZeroSpeech 2021, or lexical, dev or test in it.",
        metavar="FOLDER",
        argument=True,
        reads=True,
        group="input",
    )


@dataclass(frozen=True, kw_only=True)
class BlimpOptions(ZeroSpeechOptions):
    """Options of `spiritlm evaluate blimp`."""

    path: Path = option(
        ...,
        "Folder of ZeroSpeech 2021, or syntactic, dev or test in it; or a JSONL file of BLiMP, or a folder of these.",
        metavar="FOLDER|JSONL",
        argument=True,
        reads=True,
        group="input",
    )
