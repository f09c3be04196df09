"""Options of `spiritlm interleave`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.align import aligner_option, alignments_option, keep_labels_option
from spiritlm_cli.jobs.options.parts import TokenizerPart
from spiritlm_cli.jobs.options.shared import (
    ClipOptions,
    LineOutputOptions,
    ModelOptions,
    batch_seconds_option,
    header_option,
    ids_option,
    parse_range,
    ray_option,
    seed_option,
    workers_option,
)
from spiritlm_cli.jobs.options.token_files import check_token_files
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class InterleaveOptions(TokenizerPart, ClipOptions, LineOutputOptions, ModelOptions):
    """Options of `spiritlm interleave`."""

    tokens: str | None = option(
        None,
        "Read the units from lines of `tokenize --keep-repeats`, not from audio. With --manifest: the lines of its "
        "clips, in order.",
        metavar="FILE|-",
        path=True,
        group="input",
    )
    alignments: Path | None = alignments_option()
    aligner: str = aligner_option(
        "pocketsphinx|FOLDER|none",
        "Aligner for clips without word times: pocketsphinx (US English), the Hugging Face folder of a CTC model, or "
        "none.",
    )
    keep_labels: bool = keep_labels_option()
    mode: Literal["interleave", "speech", "text", "asr", "tts"] = option(
        "interleave",
        "Form of the lines. interleave: alternating spans of speech and text; speech, text: one modality; asr: speech, "
        "then its text; tts: text, then its speech.",
        group="spans",
    )
    text_words: tuple[int, int] = option(
        (10, 30),
        "Minimum and maximum number of words in a text span.",
        metavar="MIN:MAX",
        parse=parse_range,
        default_text="10:30",
        group="spans",
    )
    speech_words: tuple[int, int] = option(
        (5, 15),
        "Minimum and maximum number of words in a speech span.",
        metavar="MIN:MAX",
        parse=parse_range,
        default_text="5:15",
        group="spans",
    )
    copies: int = option(
        1,
        "Number of lines for each clip, with other random spans in each. Their ids are id#0, id#1, …",
        minimum=1,
        group="spans",
    )
    keep_repeats: bool = option(
        False, "Keep runs of equal units, which are otherwise merged into one unit.", group="units"
    )
    seed: int | None = seed_option()
    explain: bool = option(
        False,
        "Print the seconds, words and units of the spans of each line to stderr.",
        group="output",
        execution=True,
    )
    header: bool = header_option()
    ids: bool | None = ids_option()
    batch_seconds: float | None = batch_seconds_option()
    workers: int = workers_option()
    ray: str | None = ray_option()

    @property
    def has_clips(self) -> bool:
        """Whether there are clips to read, and not stored units alone."""
        return self.tokens is None or bool(self.audio or self.manifest or self.files_from)

    def check(self) -> None:
        """Raise OptionError for options that can't be combined, OSError for files that are not there."""
        if self.has_clips:
            self.check_clips()
        for given, flag in ((self.resume, "--resume"), (self.shard, "--shard"), (self.ray, "--ray")):
            if given and self.tokens is not None:
                raise OptionError("is for audio, not for --tokens", flag)
        if self.explain and self.mode != "interleave":
            raise OptionError("is for --mode interleave", "--explain")
        self.check_output()
        check_token_files([self.tokens], "--tokens takes a file of token lines")
        self.check_files(self.on_error)
