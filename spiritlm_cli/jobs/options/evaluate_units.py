"""Options of `spiritlm evaluate units` and `abx`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.clip_data import ClipDataOptions
from spiritlm_cli.jobs.options.evaluate import EvaluateOptions
from spiritlm_cli.jobs.options.parts import TokenizerPart
from spiritlm_cli.jobs.options.shared import batch_seconds_option, workers_option
from spiritlm_cli.options import option
from spiritlm_cli.training.options import PERTURBATIONS

Many = Literal["all"] | int


@dataclass(frozen=True, kw_only=True)
class UnitsOptions(ClipDataOptions, TokenizerPart, EvaluateOptions):
    """Options of `spiritlm evaluate units`."""

    task: ClassVar[str] = "units"

    alignments: Path | None = option(
        None,
        "Phones: a folder with ID.TextGrid (a tier phones) or ID.ctm of each clip, or one CTM file.",
        metavar="FOLDER|FILE",
        default_text="those that pocketsphinx aligns with the texts",
        reads=True,
        group="input",
    )
    phones: bool = option(True, "Compare units with phones.", "--phones/--no-phones", group="scoring")
    augmentations: str = option(
        ",".join(PERTURBATIONS),
        "Changes of the speech that must not change its units, separated by commas; none: none.",
        metavar="NAME,...",
        group="scoring",
    )
    seed: int = option(0, "Random seed of the changes.", metavar="N", minimum=0, group="scoring")
    batch_seconds: float | None = batch_seconds_option()
    workers: int = workers_option()

    @property
    def changes(self) -> tuple[str, ...]:
        """The names in `augmentations`."""
        names = tuple(name.strip() for name in self.augmentations.split(",") if name.strip())
        return () if names == ("none",) else names

    def check(self) -> None:
        """Raise OptionError for changes that are not known, OSError if the data is not there."""
        super().check()
        self.check_data()
        for name in self.changes:
            if name not in PERTURBATIONS:
                raise OptionError(f"has {name}; known are {', '.join(PERTURBATIONS)}", "--augmentations")
        if self.alignments is not None:
            self.alignments.stat()
            if not self.phones:
                raise OptionError("gives phones, so it excludes --no-phones", "--alignments")


def parse_many(text: str) -> Many:
    """A number from 1, or `all`. Raises OptionError."""
    if text == "all":
        return "all"
    if not text.isdecimal() or not int(text):
        raise OptionError(f"a number from 1, or all, not {text}")
    return int(text)


def _many_option(default: int, text: str) -> Any:
    return option(
        default, text, metavar="N|all", parse=parse_many, default_text=str(default), group="scoring"
    )


@dataclass(frozen=True, kw_only=True)
class AbxOptions(TokenizerPart, EvaluateOptions):
    """Options of `spiritlm evaluate abx`."""

    task: ClassVar[str] = "abx"

    path: Path = option(
        ...,
        "Item file of libri-light or ZeroSpeech 2021: #file onset offset #phone prev-phone next-phone speaker.",
        metavar="ITEMS",
        argument=True,
        reads=True,
        group="input",
    )
    audio: Path | None = option(
        None,
        "Folder of the audio files; their phonetic units are compared, or with --layer their features.",
        metavar="FOLDER",
        reads=True,
        group="input",
    )
    features: Path | None = option(
        None,
        "Folder of features to compare in place of a model's: FILE.npy, (frames, dim) of floats or (frames,) of units.",
        metavar="FOLDER",
        reads=True,
        group="input",
    )
    rate: float | None = option(
        None,
        "With --features: frames per second.",
        metavar="HZ",
        minimum=0,
        above=True,
        group="input",
    )
    layer: int | None = option(
        None,
        "Compare the features of this layer of HuBERT. The first one is 1.",
        metavar="N",
        minimum=1,
        default_text="units",
        group="scoring",
    )
    mode: Literal["within", "across", "both"] = option(
        "both", "within: all of one speaker; across: X of another speaker.", group="scoring"
    )
    slices: Literal["libri-light", "fastabx"] = option(
        "libri-light",
        "Frames of an interval. fastabx: the last one too, whose center is in it.",
        "--slice",
        group="scoring",
    )
    max_group: Many = _many_option(10, "Tokens of one phone, context and speaker that are drawn at most.")
    max_x: Many = _many_option(5, "Across speakers: other speakers that X is drawn from, at most.")
    seed: int = option(0, "Random seed of what is drawn.", metavar="N", minimum=0, group="scoring")
    batch_seconds: float | None = batch_seconds_option()
    workers: int = workers_option()

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for an input that is not there."""
        super().check()
        for path in (self.path, self.audio, self.features):
            if path is not None:
                path.stat()
        if (self.audio is None) == (self.features is None):
            raise OptionError("give the folder of either --audio or --features")
        if (self.rate is None) != (self.features is None):
            raise OptionError("and --features need each other", "--rate")
        if self.layer is not None and self.audio is None:
            raise OptionError("needs --audio", "--layer")
