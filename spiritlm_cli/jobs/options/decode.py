"""Options of `spiritlm decode`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.shared import (
    Dtype,
    FailureOptions,
    ModelOptions,
    batch_seconds_option,
    compile_option,
    ray_option,
    speech_dtype_option,
)
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class DecodeOptions(FailureOptions, ModelOptions):
    """Options of `spiritlm decode`."""

    files: tuple[str, ...] = option(
        (), "Token lines.", metavar="FILE", argument=True, default_text="stdin", group="input"
    )
    output: str = option(
        ...,
        "Audio file, a folder with a file for each id, or - for WAV on stdout.",
        "-o",
        "--output",
        metavar="FILE|FOLDER/|-",
        group="output",
        execution=True,
    )
    concat: bool = option(False, "Write several sequences into one file, one after another.", group="output")
    format: Literal["wav", "flac", "ogg"] = option("wav", "Format of the files in a folder.", group="output")
    sample_rate: int | None = option(
        None,
        "Resample to this rate.",
        metavar="HZ",
        minimum=1000,
        maximum=384000,
        default_text="the model's",
        group="output",
    )
    bits: Literal["16", "float"] = option("16", "16-bit integers, or 32-bit floats (WAV).", group="output")
    resume: bool = option(
        False, "Leave files that are in the folder already.", group="output", execution=True
    )
    speaker: str | None = option(None, "Voice, by name or number.", default_text="the model's")
    style: str | None = option(
        None, "Style, by name or number, in place of the line's own.", default_text="the line's"
    )
    durations: Literal["auto", "predict", "keep"] = option(
        "auto", "keep: a unit is 40 ms, as in `tokenize --keep-repeats`; auto: keep if the line has repeats."
    )
    start: Literal["start", "continuation"] = option(
        "start", "continuation: without the prompt that `generate --echo` wrote.", "--from"
    )
    text_out: Path | None = option(
        None,
        "Write the text of each line to this file.",
        metavar="FILE",
        default_text="stderr",
        group="output",
    )
    batch_seconds: float | None = batch_seconds_option()
    dtype: Dtype = speech_dtype_option()
    compile: bool = compile_option()
    ray: str | None = ray_option()

    @property
    def to_folder(self) -> bool:
        """Whether -o names a folder."""
        return self.output.endswith("/") or Path(self.output).is_dir()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for files that are not there."""
        if self.resume and not self.to_folder:
            raise OptionError("continues a folder, -o FOLDER/", "--resume")
        if self.ray and not self.to_folder:
            raise OptionError("writes a folder, -o FOLDER/", "--ray")
        if self.bits == "float" and self.to_folder and self.format != "wav":
            raise OptionError(f"{self.format} has no floats; --format wav has", "--bits")
        for path in self.files:
            if path != "-":
                Path(path).stat()
