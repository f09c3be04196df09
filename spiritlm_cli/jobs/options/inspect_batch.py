"""Options of `spiritlm inspect batch`."""

from dataclasses import dataclass

from spiritlm_cli.jobs.options.parts import TokenizerPart
from spiritlm_cli.jobs.options.paths import check_paths
from spiritlm_cli.jobs.options.shared import (
    ClipOptions,
    Dtype,
    F0Method,
    FailureOptions,
    ModelOptions,
    OnError,
    compile_option,
    f0_option,
    speech_dtype_option,
)
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class InspectBatchOptions(TokenizerPart, ClipOptions, FailureOptions, ModelOptions):
    """Options of `spiritlm inspect batch`."""

    limit: int | None = option(None, "Use only the first N clips.", metavar="N", minimum=1, group="input")
    f0: F0Method = f0_option()
    seed: int = option(0, "Random seed of the order in a batch.", metavar="N", minimum=0, group="sampling")
    as_json: bool = option(False, "Print one JSON object instead of a table.", "--json", group="output")
    on_error: OnError = option(
        "fail",
        "At a clip that can't be used: stop, or skip it, continue, and exit with status 2.",
        group="output",
        execution=True,
    )
    batch_seconds: float | None = option(
        None,
        "Seconds of audio in the largest batches.",
        metavar="SECONDS",
        minimum=0,
        default_text="60 on a CPU, by its memory on a GPU",
        group="execution",
    )
    dtype: Dtype = speech_dtype_option()
    compile: bool = compile_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for files that are not there."""
        self.check_clips()
        check_paths(self)
        self.check_files(self.on_error)
