"""Options that several jobs share, and the checks that need no model. Nothing here imports torch."""

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spiritlm_cli.console import log
from spiritlm_cli.errors import AudioError, OptionError
from spiritlm_cli.jobs.options.paths import check_paths
from spiritlm_cli.options import option
from spiritlm_cli.streams import is_stdout

if TYPE_CHECKING:
    from spiritlm_cli.checkpoints import Checkpoint

UnitSet = Literal["base", "expressive"]
Dtype = Literal["float32", "bfloat16", "float16"]
OnError = Literal["fail", "skip"]
Channel = Literal["mix"] | int
F0Method = Literal["fcpe", "pyaapt"]

# Declared once for the dataclasses that have them.
EXECUTION: dict[str, Any] = {"group": "execution", "execution": True}


def parse_shard(text: str) -> tuple[int, int]:
    """`2/8` as (2, 8). Raises OptionError."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
        raise OptionError(f"the first of 8 parts is 0/8, the last 7/8, not {text}")
    return int(part), int(parts)


def parse_range(text: str) -> tuple[int, int]:
    """`10:30` as (10, 30). Raises OptionError."""
    least, colon, most = text.partition(":")
    if not (colon and least.isdecimal() and most.isdecimal() and 1 <= int(least) <= int(most)):
        raise OptionError(f"a range is written 10:30, least and most, not {text}")
    return int(least), int(most)


def parse_channel(text: str) -> Channel:
    """`mix`, or a channel's number. Raises OptionError."""
    if text == "mix":
        return "mix"
    if not text.isdecimal():
        raise OptionError(f"mix or a channel's number from 0, not {text}")
    return int(text)


def check_utf8(flag: str, *texts: str | None) -> None:
    """Raise OptionError for a text from the command line that holds bytes which are not UTF-8."""
    for text in texts:
        if text is not None and not text.isascii() and re.search("[\ud800-\udfff]", text):
            raise OptionError("is not UTF-8 text", flag)


def drawn_seed(seed: int | None) -> int:
    """The given seed, or a new random one; `-v` shows it."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    log.info("seed %d", seed)
    return seed


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which checkpoint, and on which device."""

    units: UnitSet | None = option(
        None,
        "Unit streams. base: phonetic units only; expressive: phonetic, pitch and style units.",
        default_text="expressive, or base for a model that has phonetic units only",
        group="model",
    )
    model: str | None = option(
        None,
        "Checkpoint: nano (part of the package), a model of `spiritlm models list`, a folder, or a Hugging Face "
        "repository, which may be followed by @REVISION.",
        metavar="NAME|FOLDER|HF-REPO",
        default_text="$SPIRITLM_CHECKPOINTS_DIR if it is set, else nano",
        group="model",
        execution=True,  # a journal records the checkpoint that it names
    )
    device: str = option("auto", "Device to compute on.", metavar="auto|cpu|cuda[:N]|mps", **EXECUTION)

    @property
    def expressive(self) -> bool:
        """Whether pitch and style units are used. Raises CheckpointError if `units` is None."""
        return self.checkpoint.is_expressive if self.units is None else self.units == "expressive"

    @property
    def checkpoint(self) -> "Checkpoint":
        """The checkpoint that `model` names, with the parts that other options name. Raises CheckpointError."""
        from spiritlm_cli.checkpoints import combine_parts  # `--help` does without it

        parts = {name: getattr(self, name, None) for name in ("tokenizer", "lm", "vocoder", "text_tokenizer")}
        return combine_parts(self.model, **parts)


@dataclass(frozen=True, kw_only=True)
class FailureOptions:
    """What to do with inputs that can't be used."""

    on_error: OnError = option(
        "fail",
        "What to do with an input that can't be used. fail: stop; skip: leave its output empty, continue, and exit "
        "with status 1 at the end.",
        group="output",
        execution=True,
    )
    errors: Path | None = option(
        None,
        "With --on-error skip: write the id of each such input and the reason to this file, as `id<TAB>reason`.",
        metavar="FILE",
        group="output",
        execution=True,
        writes="text",
    )


@dataclass(frozen=True, kw_only=True)
class LineOutputOptions(FailureOptions):
    """Where a job's lines go."""

    output: Path | None = option(
        None,
        "Output file. It is written as FILE.part, and renamed when it is complete.",
        "-o",
        "--output",
        metavar="FILE",
        default_text="stdout",
        group="output",
        execution=True,
        writes="text",
    )
    resume: bool = option(
        False,
        "Continue the interrupted run that was writing this output, with the options and the seed of that run.",
        group="output",
        execution=True,
    )

    def check_output(self) -> None:
        """Raise OptionError if --resume has no file to continue, or an output is an input or another output."""
        path = self.output
        if self.resume and (path is None or is_stdout(path) or (path.exists() and not path.is_file())):
            raise OptionError("needs an output file: name it with -o", "--resume")
        check_paths(self)


def ids_option() -> Any:
    """Declare `--ids/--no-ids`."""
    return option(
        None,
        "Begin each line with the id of its input and a tab.",
        "--ids/--no-ids",
        default_text="if there may be several inputs",
        group="output",
    )


def header_option() -> Any:
    """Declare `--header`."""
    text = "Begin the output with a header, `#spiritlm 1 …`, that names the tokenizer of the units."
    return option(False, text, group="output")


def workers_option() -> Any:
    """Declare `--workers` for threads."""
    return option(2, "Number of threads that read audio files.", minimum=1, **EXECUTION)


def batch_seconds_option() -> Any:
    """Declare `--batch-seconds`."""
    return option(
        None,
        "Seconds of audio in a batch. Does not change the results.",
        metavar="SECONDS",
        minimum=0,
        default_text="by the memory of the device",
        **EXECUTION,
    )


def ray_option() -> Any:
    """Declare `--ray`."""
    text = (
        "Distribute the work over the Ray cluster at this address (auto: the one that this machine belongs to), or "
        "over Ray processes on this machine (local). Extra: ray."
    )
    return option(None, text, metavar="ADDRESS|local", **EXECUTION)


def shard_option() -> Any:
    """Declare `--shard`."""
    text = "Process only part I of N equal parts of the inputs. The first part is 0."
    return option(None, text, metavar="I/N", parse=parse_shard, group="input")


def seed_option() -> Any:
    """Declare `--seed`."""
    return option(
        None, "Random seed.", metavar="N", minimum=0, default_text="random; -v shows it", group="sampling"
    )


def channel_option() -> Any:
    """Declare `--channel`."""
    return option(
        "mix",
        "Channel to read. mix: the average of all channels; N: one channel. The first one is 0.",
        metavar="mix|N",
        parse=parse_channel,
        default_text="mix",
        group="input",
    )


def f0_option() -> Any:
    """Declare `--f0`."""
    return option("fcpe", "F0 (pitch) tracker.", group="units")


def speech_dtype_option() -> Any:
    """Declare `--dtype` of the speech networks."""
    return option(
        "float32",
        "Data type of the networks. bfloat16 and float16 are faster, and change the results slightly.",
        group="execution",
    )


def compile_option() -> Any:
    """Declare `--compile`."""
    return option(False, "Compile the networks with torch.compile, for long runs on a GPU.", **EXECUTION)


@dataclass(frozen=True, kw_only=True)
class ClipOptions:
    """Which clips to process."""

    audio: tuple[str, ...] = option(
        (), "Audio files, folders, or - for stdin.", metavar="AUDIO", argument=True, path=True, group="input"
    )
    manifest: str | None = option(
        None,
        "List of clips: TSV or CSV with a header line, JSONL (also of NeMo and lhotse), or Kaldi wav.scp; each may be "
        "compressed (.gz). Fields: id, audio, start, end, text, speaker, words.",
        metavar="FILE|-",
        path=True,
        group="input",
    )
    files_from: str | None = option(
        None,
        "File with the paths of the audio files, one on each line.",
        metavar="FILE|-",
        path=True,
        group="input",
    )
    null: bool = option(
        False, "Paths in --files-from end with NUL instead of a line end.", "-0", "--null", group="input"
    )
    shard: tuple[int, int] | None = shard_option()

    def check_clips(self) -> None:
        """Raise OptionError unless one kind of input is given."""
        given = [bool(self.audio), self.manifest is not None, self.files_from is not None]
        if not any(given):
            raise OptionError("give audio files or folders, - for stdin, --files-from or --manifest", "AUDIO")
        if sum(given) > 1:
            raise OptionError("give audio files, --files-from or --manifest, not two of them", "AUDIO")

    def check_files(self, on_error: OnError) -> None:
        """Raise OSError if the manifest or the list is not there, AudioError if a named file is not.

        With on_error="skip" a named file that is not there costs its line, and not the run.
        """
        for path in (self.manifest, self.files_from):
            if path not in (None, "-"):
                Path(str(path)).stat()
        for path in self.audio if on_error == "fail" else ():
            if path != "-" and not Path(path).exists():
                raise AudioError(f"{path}: no such file")
