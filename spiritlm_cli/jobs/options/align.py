"""Options of `spiritlm align`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.paths import check_paths
from spiritlm_cli.jobs.options.shared import EXECUTION, ClipOptions, FailureOptions, check_utf8, ray_option
from spiritlm_cli.options import option

Format = Literal["jsonl", "ctm", "textgrid", "textgrid-short", "whisper", "whisperx"]
SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ctm": "ctm",
    ".textgrid": "textgrid",
    ".json": "whisper",
}


def aligner_option(choices: str, text: str) -> Any:
    """Declare `--aligner`."""
    return option("pocketsphinx", text, metavar=choices, group="model")


def alignments_option() -> Any:
    """Declare `--alignments`."""
    return option(
        None,
        "Word times, matched to the clips by id: a folder of TextGrid, Whisper or WhisperX JSON files, a CTM file, or "
        "the output of `spiritlm align`.",
        metavar="FOLDER|FILE",
        path=True,
        group="input",
    )


def keep_labels_option() -> Any:
    """Declare `--keep-labels`."""
    text = (
        "Keep labels of noise and unknown words, such as [laughter] and <unk>, as words. Otherwise noise is left out, "
        "and an unknown word is an error."
    )
    return option(False, text, group="input")


@dataclass(frozen=True, kw_only=True)
class AlignOptions(ClipOptions, FailureOptions):
    """Options of `spiritlm align`."""

    text: str | None = option(None, "Text of the audio file, if only one is given.", group="input")
    aligner: str = aligner_option(
        "pocketsphinx|FOLDER",
        "Aligner: pocketsphinx (US English), or the Hugging Face folder of a CTC model (wav2vec 2.0, HuBERT, WavLM).",
    )
    keep_labels: bool = keep_labels_option()
    format: Format | None = option(
        None,
        "Format of the word times.",
        default_text="by the suffix of -o; textgrid for a folder; otherwise jsonl",
        group="output",
    )
    output: str | None = option(
        None,
        "Output file, or a folder, for a file for each id.",
        "-o",
        "--output",
        metavar="FILE|FOLDER/",
        default_text="stdout",
        group="output",
        execution=True,
        writes="text",
    )
    resume: bool = option(
        False,
        "Continue the interrupted run that was writing this output, with the options of that run.",
        group="output",
        execution=True,
    )
    workers: int | None = option(
        None, "Number of processes that align.", minimum=0, default_text="one for each core", **EXECUTION
    )
    device: str = option(
        "auto", "Device that a CTC model runs on.", metavar="auto|cpu|cuda[:N]|mps", **EXECUTION
    )
    ray: str | None = ray_option()

    @property
    def to_folder(self) -> bool:
        """Whether -o names a folder."""
        return self.output is not None and (self.output.endswith("/") or Path(self.output).is_dir())

    @property
    def chosen_format(self) -> Format:
        """The format asked for, or the one that the output's name implies."""
        if self.format:
            return self.format
        return "textgrid" if self.to_folder else SUFFIXES.get(Path(self.output or "").suffix.lower(), "jsonl")

    @property
    def several(self) -> bool:
        """Whether there may be several clips."""
        return not self.audio or len(self.audio) > 1 or Path(self.audio[0]).is_dir()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for files that are not there."""
        self.check_clips()
        check_utf8("--text", self.text)
        chosen = self.chosen_format
        if self.text is not None and self.several:
            raise OptionError("is the text of one file, named on the command line", "--text")
        if chosen in ("jsonl", "ctm") and self.to_folder:
            raise OptionError(f"{chosen} is written to one file, not to a folder", "-o")
        if self.resume and not self.to_folder and (chosen != "jsonl" or self.output in (None, "-")):
            raise OptionError("continues a JSONL file, -o FILE, or a folder, -o FOLDER/", "--resume")
        if chosen not in ("jsonl", "ctm") and self.several and not self.to_folder:
            raise OptionError(f"{chosen} has one clip a file; give -o FOLDER/", "--format")
        if chosen == "jsonl" and self.audio == ("-",):
            raise OptionError(
                "rows of a manifest name files; for audio on stdin give --format ctm", "--format"
            )
        check_paths(self)
        self.check_files(self.on_error)
