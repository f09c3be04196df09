"""Options of all tasks of `spiritlm evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.shared import (
    LineOutputOptions,
    ModelOptions,
    OnError,
    ray_option,
    shard_option,
)
from spiritlm_cli.options import option
from spiritlm_cli.streams import is_stdout


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


def count_marker_option() -> Any:
    """Declare `--count-marker`."""
    text = "Count the [TEXT] or [SPEECH] marker that opens a hypothesis as one of its tokens. Otherwise it is given."
    return option(False, text, group="scoring")


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(LineOutputOptions, ModelOptions):
    """Options of all tasks. task: its name on the command line."""

    task: ClassVar[str]

    limit: int | None = option(None, "Use only the first N items.", metavar="N", minimum=1, group="input")
    shard: tuple[int, int] | None = shard_option()
    as_json: bool = option(
        False, "Print one JSON object instead of a table.", "--json", group="output", execution=True
    )
    output: Path | None = option(
        None,
        "Also write a description of the run and the record of each item to this file, as JSONL. It is written as "
        "FILE.part, and renamed when it is complete. `spiritlm evaluate report` reads it.",
        "--items",
        metavar="FILE",
        group="output",
        execution=True,
        writes="text",
    )
    resume: bool = option(
        False,
        "Continue the interrupted run that was writing --items, with the options of that run.",
        group="output",
        execution=True,
    )
    on_error: OnError = option(
        "fail",
        "At an item that can't be used: stop, or skip it, continue, and exit with status 1.",
        group="output",
        execution=True,
    )
    ray: str | None = ray_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined."""
        if self.output is not None and is_stdout(self.output):
            raise OptionError("needs a file: the result goes to stdout", "--items")
        if self.resume and self.output is None:
            raise OptionError("needs the file to continue: name it with --items", "--resume")
        self.check_output()
