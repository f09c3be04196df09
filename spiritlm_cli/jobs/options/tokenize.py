"""Options of `spiritlm tokenize`."""

from dataclasses import dataclass
from typing import Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.parts import TokenizerPart
from spiritlm_cli.jobs.options.shared import (
    EXECUTION,
    Channel,
    ClipOptions,
    Dtype,
    F0Method,
    LineOutputOptions,
    ModelOptions,
    batch_seconds_option,
    channel_option,
    compile_option,
    f0_option,
    header_option,
    ids_option,
    ray_option,
    speech_dtype_option,
    workers_option,
)
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class TokenizeOptions(TokenizerPart, ClipOptions, LineOutputOptions, ModelOptions):
    """Options of `spiritlm tokenize`."""

    keep_repeats: bool = option(
        False, "Keep runs of equal units, which are otherwise merged into one unit.", group="units"
    )
    f0: F0Method = f0_option()
    channel: Channel = channel_option()
    format: Literal["text", "jsonl"] = option(
        "text",
        "text: token lines; jsonl: a JSON object for each clip, with each unit stream.",
        group="output",
    )
    stream: bool = option(
        False, "Write the units of a long file every 100 s instead of at its end.", **EXECUTION
    )
    header: bool = header_option()
    ids: bool | None = ids_option()
    batch_seconds: float | None = batch_seconds_option()
    workers: int = workers_option()
    dtype: Dtype = speech_dtype_option()
    compile: bool = compile_option()
    ray: str | None = ray_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for files that are not there."""
        self.check_clips()
        self.check_output()
        if self.format != "text" and (self.header or self.stream):
            raise OptionError("is for token lines", "--header" if self.header else "--stream")
        if self.ray and self.stream:
            raise OptionError("can't be combined with --stream", "--ray")
        self.check_files(self.on_error)
