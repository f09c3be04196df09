"""Options of the tasks of `spiritlm evaluate` that compare log-likelihoods of pairs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate import (
    EvaluateOptions,
    count_marker_option,
    language_model_dtype_option,
)
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart
from spiritlm_cli.jobs.options.shared import Dtype, batch_seconds_option, workers_option
from spiritlm_cli.options import option

Normalize = Literal["ending", "whole"]


def _folder_argument(text: str, metavar: str = "FOLDER") -> Any:
    """Declare the argument of a task that reads a folder."""
    return option(..., text, metavar=metavar, argument=True, reads=True, group="input")


def _normalize_option(text: str) -> Any:
    """Declare `--normalize`."""
    return option("ending", text, group="scoring")


@dataclass(frozen=True, kw_only=True)
class LikelihoodOptions(TokenizerPart, LanguageModelPart, EvaluateOptions):
    """Options of all tasks that compare log-likelihoods of pairs."""

    path: Path
    count_marker: bool = count_marker_option()
    score_units: Literal["all", "hubert"] = option(
        "all",
        "Units of speech whose log-likelihoods count: all, or phonetic units alone. The others are read as context.",
        group="scoring",
    )
    dtype: Dtype | None = language_model_dtype_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError if the input does not exist."""
        super().check()
        if str(self.path) != "-":
            self.path.stat()


@dataclass(frozen=True, kw_only=True)
class PairsOptions(LikelihoodOptions):
    """Options of `spiritlm evaluate pairs`."""

    task: ClassVar[str] = "pairs"

    path: Path = _folder_argument(
        "Table with the columns good and bad (token lines or text), and optionally id, type and given.",
        "TSV|-",
    )
    normalize: Normalize = _normalize_option(
        "Tokens that count: those of good and bad, or those of the column given before them too."
    )


@dataclass(frozen=True, kw_only=True)
class SpeechPairsOptions(LikelihoodOptions):
    """Options of the tasks that compare recordings."""

    batch_seconds: float | None = batch_seconds_option()
    workers: int = workers_option()


@dataclass(frozen=True, kw_only=True)
class ZeroSpeechOptions(SpeechPairsOptions):
    """Options of the benchmarks of ZeroSpeech."""

    text: bool = option(False, "Score the words or sentences as text, not as speech.", group="scoring")
    submission: Path | None = option(
        None,
        "Also write ZeroSpeech's submission files to this folder: the mean log-likelihood of each WAV file.",
        metavar="FOLDER",
        group="output",
        writes="folder",
    )

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

    path: Path = _folder_argument(
        "Folder of ZeroSpeech 2021, or lexical, dev or test in it; or slamkit's folder of sWUGGY."
    )


@dataclass(frozen=True, kw_only=True)
class BlimpOptions(ZeroSpeechOptions):
    """Options of `spiritlm evaluate blimp`."""

    task: ClassVar[str] = "blimp"

    path: Path = _folder_argument(
        "Folder of ZeroSpeech 2021, or syntactic, dev or test in it; or slamkit's folder of sBLIMP; or a JSONL file of "
        "BLiMP, or a folder of these.",
        "FOLDER|JSONL",
    )


@dataclass(frozen=True, kw_only=True)
class ProsauditOptions(ZeroSpeechOptions):
    """Options of `spiritlm evaluate prosaudit`."""

    task: ClassVar[str] = "prosaudit"

    path: Path = _folder_argument("Folder of ProsAudit, or english, dev or test in it.")


@dataclass(frozen=True, kw_only=True)
class StoryclozeOptions(SpeechPairsOptions):
    """Options of `spiritlm evaluate storycloze`."""

    task: ClassVar[str] = "storycloze"

    path: Path = _folder_argument(
        "Folder of sSC, of slamkit's version of it, or of stories and endings as WAV and text files; or a CSV file of "
        "StoryCloze.",
        "FOLDER|CSV",
    )
    directions: tuple[str, ...] = option(
        (),
        "Score only this direction: TT, TS, ST or SS, first the story and then its ending, as text (T) or speech (S); "
        "may be given several times.",
        "--direction",
        metavar="TT|TS|ST|SS",
        default_text="all that there are files for",
        group="input",
    )
    normalize: Normalize = _normalize_option(
        "Tokens that count: those of the ending, or those of the story before it too. Recordings of whole stories "
        "count as a whole."
    )

    def check(self) -> None:
        """Raise OptionError for options that can't be used, OSError if the input does not exist."""
        super().check()
        if unknown := sorted(set(self.directions) - {"TT", "TS", "ST", "SS"}):
            raise OptionError(f"TT, TS, ST or SS, not {unknown[0]}", "--direction")


@dataclass(frozen=True, kw_only=True)
class TopicStoryclozeOptions(StoryclozeOptions):
    """Options of `spiritlm evaluate topic-storycloze`."""

    task: ClassVar[str] = "topic-storycloze"

    path: Path = _folder_argument(
        "Folder of tSC, of slamkit's version of it, or of stories and endings as WAV and text files; or a CSV file of "
        "the same form as StoryCloze's.",
        "FOLDER|CSV",
    )


@dataclass(frozen=True, kw_only=True)
class SalmonOptions(SpeechPairsOptions):
    """Options of `spiritlm evaluate salmon`."""

    task: ClassVar[str] = "salmon"

    path: Path = _folder_argument("Folder of SALMon, or of one of its parts.")
