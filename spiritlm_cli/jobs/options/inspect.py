"""Options of `spiritlm inspect`."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import AudioError, OptionError
from spiritlm_cli.jobs.options.align import aligner_option, alignments_option, keep_labels_option
from spiritlm_cli.jobs.options.parts import TokenizerPart, VocoderPart
from spiritlm_cli.jobs.options.paths import check_paths
from spiritlm_cli.jobs.options.shared import (
    Channel,
    Dtype,
    F0Method,
    FailureOptions,
    ModelOptions,
    OnError,
    channel_option,
    f0_option,
    speech_dtype_option,
)
from spiritlm_cli.options import option
from spiritlm_cli.streams import is_stdout


@dataclass(frozen=True, kw_only=True)
class InputOptions(TokenizerPart, VocoderPart, ModelOptions):
    """What to inspect, and how it is tokenized."""

    inputs: tuple[str, ...] = option(
        (),
        "Audio files, folders of audio files, files of token lines, or - for stdin.",
        metavar="FILE",
        argument=True,
        default_text="stdin",
        path=True,
        group="input",
    )
    manifest: str | None = option(
        None, "List of clips, as `tokenize` reads it.", metavar="FILE|-", path=True, group="input"
    )
    alignments: Path | None = alignments_option()
    aligner: str = aligner_option(
        "pocketsphinx|FOLDER|none",
        "Aligner for clips with a text and without word times: pocketsphinx (US English), the Hugging Face folder of a "
        "CTC model, or none.",
    )
    keep_labels: bool = keep_labels_option()
    channel: Channel = channel_option()
    f0: F0Method = f0_option()
    dtype: Dtype = speech_dtype_option()

    def check_inputs(self, on_error: OnError = "fail") -> None:
        """Raise OptionError for inputs that can't be combined, AudioError and OSError for files that are not there.

        With on_error="skip" a named file that is not there costs its place, and not the run.
        """
        if self.inputs and self.manifest:
            raise OptionError("give files, or --manifest, not both", "--manifest")
        if self.inputs.count("-") > 1:
            raise OptionError("stdin can be read once only", "FILE")
        for path in self.inputs if on_error == "fail" else ():
            check_input(path)
        for other in (self.manifest, self.alignments):
            if other not in (None, "-"):
                Path(str(other)).stat()


@dataclass(frozen=True, kw_only=True)
class InspectOptions(InputOptions, FailureOptions):
    """Options of `spiritlm inspect`."""

    on_error: OnError = option(
        "fail",
        "What to do with an input that can't be used. fail: stop; skip: leave it out, continue, and exit with status 1 "
        "at the end.",
        group="output",
        execution=True,
    )
    keep_repeats: bool = option(
        False,
        "Show the runs of equal units of audio, which are otherwise merged into one unit.",
        group="units",
    )
    speaker: str | None = option(
        None,
        "Speaker of the resynthesis, by name or number.",
        default_text="the model's",
        group="speech",
        metavar="NAME|N",
    )
    as_json: bool = option(
        False, "Print a JSON object for each input, or one for --stats.", "--json", group="output"
    )
    stats: bool = option(
        False,
        "Print statistics of all inputs together: histograms of units, codebook use, entropy, n-grams, durations.",
        group="output",
    )
    plot: str | None = option(
        None,
        "Plot the clip: waveform, spectrogram, units, F0, style and words; with --stats, the statistics. A folder gets "
        "a PNG for each id. Extra: plot.",
        metavar="FILE.png|FILE.svg|FOLDER/",
        writes="text",
        group="output",
        execution=True,
    )
    html: Path | None = option(
        None,
        "Write one HTML page with all inputs, in which tokens can be seen, heard and searched.",
        metavar="FILE",
        writes="text",
        group="output",
    )
    textgrid: str | None = option(
        None,
        "Write units, pitch, style and words as the tiers of a TextGrid, for Praat. A folder gets a file for each id.",
        metavar="FILE|FOLDER/|-",
        writes="text",
        group="output",
    )

    @property
    def sounds(self) -> bool:
        """Whether a view needs the resynthesis and F0."""
        return bool(self.html or (self.plot and not self.stats))

    @property
    def has_words(self) -> bool:
        """Whether a view shows words."""
        return not self.stats and bool(self.sounds or self.textgrid or self.as_json)

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, AudioError and OSError for files that are not there."""
        for flag, given in (("--html", self.html), ("--textgrid", self.textgrid)):
            if self.stats and given:
                raise OptionError("shows single inputs, and --stats all of them together", flag)
        if self.as_json and self.textgrid and is_stdout(self.textgrid):
            raise OptionError("name a file or a folder/: stdout has the objects of --json", "--textgrid")
        self._check_plot()
        self.check_inputs(self.on_error)
        for flag, path in (("--html", self.html), ("--plot", self.plot), ("--textgrid", self.textgrid)):
            check_folder(flag, path)
        check_paths(self)

    def _check_plot(self) -> None:
        if not self.plot:
            return
        if is_folder(self.plot):
            if self.stats:
                raise OptionError("is one file for --stats", "--plot")
        elif Path(self.plot).suffix.lower() not in (".png", ".svg"):
            raise OptionError(f"{self.plot}: name a .png or .svg file, or a folder/", "--plot")


def check_folder(flag: str, path: Path | str | None) -> None:
    """Raise OptionError for an output file in a folder that is not there."""
    if path is None or str(path).endswith("/"):
        return
    if not (folder := Path(path).parent).is_dir():
        raise OptionError(f"{path}: can't be written (there is no folder {folder})", flag)


def is_folder(path: str) -> bool:
    """Whether an output is a folder, for a file for each id."""
    return path.endswith("/") or Path(path).is_dir()


def check_input(path: str) -> None:
    """Raise OptionError for a token line in place of a file, and AudioError for a file that is not there."""
    if path == "-":
        return
    try:
        Path(path).stat()
    except OSError:
        if "[" in path:
            hint = "token lines come from files or stdin: echo '…' | spiritlm inspect"
            raise OptionError(f"no file has this name: {path[:80]}; {hint}", "FILE") from None
        raise AudioError(f"{path}: no such file") from None
