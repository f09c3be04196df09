"""Options of `spiritlm inspect unit`."""

from dataclasses import dataclass, replace
from pathlib import Path

from spiritlm_cli.errors import OptionError, TokenError
from spiritlm_cli.jobs.options.inspect import InputOptions
from spiritlm_cli.jobs.options.paths import check_paths
from spiritlm_cli.jobs.options.shared import FailureOptions, OnError
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class _UnitOptions:
    """The argument that stands before the inputs."""

    unit: str = option(
        ...,
        "Unit, such as Hu28, Pi3 or St7, or several in succession, such as 'Hu28 Hu5'.",
        metavar="UNIT",
        argument=True,
        group="input",
    )


@dataclass(frozen=True, kw_only=True)
class InspectUnitOptions(InputOptions, FailureOptions, _UnitOptions):
    """Options of `spiritlm inspect unit`."""

    manifest: str | None = option(
        None,
        "List of clips to search. With files of token lines: the clips, by id, that the sound of lines with repeats is "
        "cut from.",
        metavar="FILE|-",
        path=True,
        group="input",
    )
    aligner: str = option(
        "none",
        "Aligner that finds the words of clips with a text: none, pocketsphinx (US English), or the Hugging Face "
        "folder of a CTC model.",
        metavar="none|pocketsphinx|FOLDER",
        group="model",
    )
    phones: bool = option(
        False,
        "Align the phones of clips with a text (US English), and print which phones the unit stands for.",
        group="task",
    )
    on_error: OnError = option(
        "fail",
        "At an input that can't be used: stop, or skip it, continue, and exit with status 1.",
        group="output",
        execution=True,
    )
    context: int = option(
        3, "Number of units to show before and after each place.", "-U", "--context", minimum=0
    )
    limit: int | None = option(
        None, "Show only N places: the first ones, or with --seed random ones.", metavar="N", minimum=1
    )
    seed: int | None = option(
        None, "Random seed of the places that --limit shows.", metavar="N", minimum=0, group="sampling"
    )
    output: str | None = option(
        None,
        "Join the places as one sound in this file: each with some of the sound around it, as loud as the others, with "
        "0.2 s between them.",
        "-o",
        "--output",
        metavar="FILE",
        writes="sound",
        group="output",
    )
    context_ms: float = option(
        60,
        "Milliseconds of sound before and after each place in -o.",
        metavar="MS",
        minimum=0,
        group="output",
    )
    speaker: str | None = option(
        None,
        "Speaker of the speech that the vocoder makes of token lines, by name or number.",
        default_text="the model's",
        group="speech",
        metavar="NAME|N",
    )
    as_json: bool = option(False, "Print one JSON object instead of a list.", "--json", group="output")

    @property
    def searched(self) -> "InspectUnitOptions":
        """The options of what is searched: the files, or if there are none the clips of the manifest."""
        return replace(self, manifest=None) if self.inputs else self

    @property
    def audio_of_lines(self) -> str | None:
        """The manifest with the audio of token lines."""
        return self.manifest if self.inputs else None

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, AudioError and OSError for files that are not there."""
        from spiritlm_cli.audio.writing import check_output_path  # with numpy, which `--help` does without
        from spiritlm_cli.inspection.concordance import parse_units

        try:
            parse_units(self.unit)
        except TokenError as error:
            raise OptionError(str(error), "UNIT") from None
        if self.seed is not None and self.limit is None:
            raise OptionError("is for --limit, whose places it draws", "--seed")
        self.searched.check_inputs(self.on_error)
        if self.manifest not in (None, "-"):
            Path(str(self.manifest)).stat()
        check_paths(self)
        if self.output is not None:
            check_output_path(self.output)
