"""Options of the tasks of `spiritlm evaluate` that compare log-likelihoods of pairs."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions, language_model_dtype_option
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart
from spiritlm_cli.jobs.options.shared import Dtype, batch_seconds_option, workers_option
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class PairsOptions(TokenizerPart, LanguageModelPart, EvaluateOptions):
    """Options of `spiritlm evaluate pairs`."""

    task: ClassVar[str] = "pairs"

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
        super().check()
        if self.ray and str(self.path) == "-":
            raise OptionError(
                "can't be combined with pairs on stdin, which other machines can't read", "--ray"
            )
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
        others = {"--text": self.text, "--limit": self.limit, "--shard": self.shard}
        if self.submission and any(others.values()):
            other = next(flag for flag, value in others.items() if value)
            raise OptionError(f"needs the scores of all WAV files, so it excludes {other}", "--submission")


@dataclass(frozen=True, kw_only=True)
class WuggyOptions(ZeroSpeechOptions):
    """Options of `spiritlm evaluate wuggy`."""

    task: ClassVar[str] = "wuggy"

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

    task: ClassVar[str] = "blimp"

    path: Path = option(
        ...,
        "Folder of ZeroSpeech 2021, or syntactic, dev or test in it; or a JSONL file of BLiMP, or a folder of these.",
        metavar="FOLDER|JSONL",
        argument=True,
        reads=True,
        group="input",
    )
