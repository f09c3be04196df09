"""Options of `spiritlm decode`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spiritlm_cli.audio.formats import FORMATS, format_of
from spiritlm_cli.errors import AudioError, OptionError
from spiritlm_cli.jobs.options.parts import VocoderPart
from spiritlm_cli.jobs.options.paths import check_paths
from spiritlm_cli.jobs.options.shared import (
    Dtype,
    FailureOptions,
    ModelOptions,
    batch_seconds_option,
    compile_option,
    ray_option,
    speech_dtype_option,
)
from spiritlm_cli.jobs.options.token_files import check_token_files
from spiritlm_cli.options import option
from spiritlm_cli.streams import is_stdout


@dataclass(frozen=True, kw_only=True)
class DecodeOptions(VocoderPart, FailureOptions, ModelOptions):
    """Options of `spiritlm decode`."""

    files: tuple[str, ...] = option(
        (),
        "Files of token lines.",
        metavar="FILE",
        argument=True,
        default_text="stdin",
        path=True,
        group="input",
    )
    output: str = option(
        "",
        "Audio file (.wav, .flac, .ogg, .opus); a folder, for a file for each id; or -, for WAV on stdout.",
        "-o",
        "--output",
        metavar="FILE|FOLDER/|-",
        default_text="required",
        group="output",
        execution=True,
        writes="sound",
    )
    concat: bool = option(False, "Write all sequences into one file, one after another.", group="output")
    format: Literal["wav", "flac", "ogg", "opus"] = option(
        "wav", "Format of the files in an output folder.", group="output"
    )
    sample_rate: int | None = option(
        None,
        "Sampling rate of the output.",
        metavar="HZ",
        minimum=1000,
        maximum=384000,
        default_text="the model's",
        group="output",
    )
    bits: Literal["16", "float"] = option(
        "16", "Sample format. 16: 16-bit integers; float: 32-bit floats, for WAV only.", group="output"
    )
    resume: bool = option(
        False,
        "Continue an interrupted run: keep the files that are in the output folder already.",
        group="output",
        execution=True,
    )
    speaker: str | None = option(
        None,
        "Speaker, by name or number; help: list the speakers.",
        default_text="the model's",
        group="speech",
        metavar="NAME|N|help",
    )
    style: str | None = option(
        None,
        "Style, by name or number, instead of the style units of the line; help: list the styles.",
        default_text="the line's",
        group="speech",
        metavar="NAME|N|help",
    )
    durations: Literal["auto", "predict", "keep"] = option(
        "auto",
        "Durations of the units. predict: by the duration predictor; keep: 40 ms each, for lines of `tokenize "
        "--keep-repeats`; auto: keep if the line has repeated units, else predict.",
        group="speech",
    )
    start: Literal["start", "continuation"] = option(
        "start",
        "Which part to decode. start: all of the line; continuation: what follows the prompt, in lines of `generate "
        "--echo`.",
        "--from",
        group="speech",
    )
    text_out: Path | None = option(
        None,
        "Write the text spans of each line to this file.",
        metavar="FILE",
        default_text="stderr",
        group="output",
        execution=True,
        writes="text",
    )
    batch_seconds: float | None = batch_seconds_option()
    dtype: Dtype = speech_dtype_option()
    compile: bool = compile_option()
    ray: str | None = ray_option()

    @property
    def to_folder(self) -> bool:
        """Whether -o names a folder."""
        return self.output.endswith("/") or Path(self.output).is_dir()

    @property
    def lists_voices(self) -> bool:
        """Whether the speakers and styles are to be listed, and nothing is decoded."""
        return "help" in (self.speaker, self.style)

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for files that are not there."""
        if self.lists_voices:
            return
        check_token_files(self.files, "token lines come from files or stdin: echo '…' | spiritlm decode")
        self._check_output()
        if self.resume and not self.to_folder:
            raise OptionError("continues a folder, -o FOLDER/", "--resume")
        if self.ray and not self.to_folder:
            raise OptionError("writes a folder, -o FOLDER/", "--ray")
        self._check_format()
        check_paths(self)

    def _check_output(self) -> None:
        """Raise OptionError if there is no output, or audio would be written to a terminal."""
        ways = "give -o out.wav, -o FOLDER/ for a file for each id, or -o - for WAV on stdout"
        if not self.output:
            raise OptionError(f"there is no output: {ways}", "-o")
        if is_stdout(self.output) and sys.__stdout__ is not None and sys.__stdout__.isatty():
            raise OptionError("would write audio to the terminal; redirect it, as in -o - > out.wav", "-o")

    def _check_format(self) -> None:
        """Raise OptionError for a format that can't be written, or that has no such rate or no floats."""
        if self.to_folder or is_stdout(self.output):
            known = FORMATS[f".{self.format}" if self.to_folder else ".wav"]
        else:
            try:
                known = format_of(self.output)
            except AudioError as error:
                raise OptionError(str(error), "--output") from None
        if self.bits == "float" and not known.floats:
            raise OptionError(f"{known.name} can't hold floats; WAV can", "--bits")
        if self.sample_rate and (problem := known.explain_rate(self.sample_rate)):
            raise OptionError(problem, "--sample-rate")
