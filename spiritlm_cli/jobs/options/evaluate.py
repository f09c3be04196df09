"""Options of all tasks of `spiritlm evaluate`."""

import dataclasses
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.shared import (
    LineOutputOptions,
    ModelOptions,
    OnError,
    ray_option,
    shard_option,
)
from spiritlm_cli.options import Group, option, spec_of
from spiritlm_cli.streams import is_stdout

Options = TypeVar("Options", bound="EvaluateOptions")


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


def temperature_option() -> Any:
    """Declare `--temperature`."""
    return option(0.8, "Sampling temperature.", minimum=0, above=True, group="sampling")


def top_p_option(default: float | None, default_text: str | None = None) -> Any:
    """Declare `--top-p`."""
    return option(
        default,
        "Draw from the most likely tokens whose probabilities sum to P.",
        metavar="P",
        minimum=0,
        maximum=1,
        above=True,
        default_text=default_text,
        group="sampling",
    )


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(LineOutputOptions, ModelOptions):
    """Options of all tasks. task: its name on the command line."""

    task: ClassVar[str]

    limit: int | None = option(
        None,
        "Use only the first N items, such as clips, pairs or questions.",
        metavar="N",
        minimum=1,
        group="input",
    )
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
        if self.ray and any(str(path) == "-" for _, path in self.read_paths()):
            raise OptionError("can't be combined with stdin, which other machines can't read", "--ray")
        self.check_output()
        if self.output and not self.output.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(self.output.parent))

    def read_paths(self, group: Group | None = None) -> Iterator[tuple[str, Path | str]]:
        """Yield the name of the field and the path for each path that is read. group: of the options; None: all."""
        for field in dataclasses.fields(self):
            spec = spec_of(field)
            if (spec.reads or spec.path) and group in (None, spec.group):
                value = getattr(self, field.name)
                yield from (
                    (field.name, path) for path in (value if isinstance(value, tuple) else (value,)) if path
                )

    def with_absolute_paths(self: Options) -> Options:
        """The options for another process, with the absolute paths of what is read."""
        changes: dict[str, Any] = {}
        for name, _ in self.read_paths():
            value = getattr(self, name)
            changes[name] = tuple(map(_absolute, value)) if isinstance(value, tuple) else _absolute(value)
        return dataclasses.replace(self, **changes)


def _absolute(path: Path | str) -> Path | str:
    path_on_disk = Path(path)
    # A name, such as that of a recognizer, is no path.
    return type(path)(path_on_disk.absolute()) if path_on_disk.exists() else path
