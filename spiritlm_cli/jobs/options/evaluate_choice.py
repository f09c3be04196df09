"""Options of the tasks of `spiritlm evaluate` that answer multiple-choice questions."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate import (
    EvaluateOptions,
    count_marker_option,
    language_model_dtype_option,
)
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart
from spiritlm_cli.jobs.options.shared import Dtype, batch_seconds_option, workers_option
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class MmluOptions(LanguageModelPart, EvaluateOptions):
    """Options of `spiritlm evaluate mmlu`."""

    task: ClassVar[str] = "mmlu"

    path: Path = option(
        ...,
        "Folder of MMLU, with dev, val and test.",
        metavar="FOLDER",
        argument=True,
        reads=True,
        group="input",
    )
    split: Literal["test", "val"] = option("test", "Which questions.", group="input")
    subjects: tuple[str, ...] = option(
        (),
        "Only the questions of this subject, such as anatomy; may be given several times.",
        "--subject",
        metavar="NAME",
        default_text="all",
        group="input",
    )
    shots: int = option(
        5, "Number of examples in a prompt: the first ones of dev.", metavar="N", minimum=0, group="few-shot"
    )
    context: int = option(
        2048,
        "Maximum number of tokens of a prompt and its answer. A longer prompt has fewer examples.",
        metavar="TOKENS",
        minimum=8,
        default_text="2048, or the model's context if it is shorter",
        group="few-shot",
    )
    dtype: Dtype | None = language_model_dtype_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError if the folder does not exist."""
        super().check()
        self.path.stat()


@dataclass(frozen=True, kw_only=True)
class ChoiceOptions(TokenizerPart, LanguageModelPart, EvaluateOptions):
    """Options of `spiritlm evaluate choice`."""

    task: ClassVar[str] = "choice"

    paths: tuple[Path, ...] = option(
        ...,
        "Questions, as JSONL with the fields choices, answer, and optionally prompt, id and group.",
        metavar="JSONL",
        argument=True,
        reads=True,
        group="input",
    )
    count_marker: bool = count_marker_option()
    dtype: Dtype | None = language_model_dtype_option()
    batch_seconds: float | None = batch_seconds_option()
    workers: int = workers_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError if a file does not exist."""
        super().check()
        for path in self.paths:
            path.stat()
            if not path.is_file():
                raise OptionError(f"{path} is not a file", "JSONL")
