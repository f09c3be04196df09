"""The options that commands share, each defined once."""

import random
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from spiritlm_cli import __version__, console

UnitSet = Literal["base", "expressive"]

Model = Annotated[
    str | None,
    typer.Option(
        metavar="nano|DIR|HF-REPO",
        help="The checkpoint: the embedded nano, a folder, or a Hugging Face repository.  "
        "[default: $SPIRITLM_CHECKPOINTS_DIR where it is set, else nano]",
    ),
]
Units = Annotated[UnitSet, typer.Option(help="Phonetic units alone, or with pitch and style.")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda[:N]|mps", help="Where the models run.")]
Dtype = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option(help="Number format of the language model.  [default: float32 on a CPU, else bfloat16]"),
]
DeviceMap = Annotated[
    Literal["auto"] | None,
    typer.Option(help="auto: the language model's layers over all CUDA GPUs, by their free memory."),
]
Quantize = Annotated[
    Literal["int8", "int4"] | None,
    typer.Option(help="Bits of the language model's weights, for less memory (extra: quantize)."),
]
Engine = Annotated[
    Literal["torch", "vllm"],
    typer.Option(help="What runs the language model; vLLM (extra: vllm) is for many lines on a GPU."),
]
SpeechDtype = Annotated[
    Literal["float32", "bf16", "fp16"],
    typer.Option(
        help="What the speech networks compute with; others than float32 are quicker, and change some units."
    ),
]
# torch's names of them
DTYPES = {"float32": "float32", "bf16": "bfloat16", "fp16": "float16"}
Compile = Annotated[
    bool,
    typer.Option(
        "--compile", help="Let torch.compile work on the networks first: pays on a GPU, in long runs."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object in place of the table.")]
BatchSeconds = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="Sound that is computed at once; the answers are the same.  [default: what the device has room for]",
    ),
]
Workers = Annotated[int, typer.Option(min=1, help="Threads that read files while the networks work.")]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS|local",
        help="Let the machines of a Ray cluster do it (`auto` finds that of this machine), or Ray's processes here.",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where a run with the same -o and inputs was broken off.")
]
Shard = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Only the Ith of N equal parts of the inputs, counted from 0."),
]
FilesFrom = Annotated[
    str | None, typer.Option(metavar="FILE|-", help="Read the names of the files here, one a line.")
]
Nul = Annotated[bool, typer.Option("-0", "--null", help="The names of --files-from end in NUL.")]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0, help="Makes what is drawn at random the same again.  [default: drawn, shown with -v]"
    ),
]
Ids = Annotated[
    bool | None,
    typer.Option(
        "--ids/--no-ids", help="Begin each line with `id<TAB>`, or never.  [default: where there are ids]"
    ),
]
HeaderLine = Annotated[
    bool, typer.Option("--header", help="Begin with a `#spiritlm 1 …` line that says whose tokens these are.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="Write to this file, not stdout; it gets its name when it is complete."
    ),
]
Manifest = Annotated[
    str | None,
    typer.Option(
        help="TSV with a header line, JSONL or Kaldi's wav.scp (or .gz of them): id, audio, start, end, text, "
        "speaker, words."
    ),
]
OnError = Annotated[
    Literal["fail", "skip"],
    typer.Option(
        help="At an input that can't be used: stop, or leave its line empty, go on, and exit 1 at the end."
    ),
]
ErrorsFile = Annotated[
    Path | None,
    typer.Option("--errors", metavar="FILE", help="With skip, also write `id<TAB>reason` lines here."),
]
SpokenText = Annotated[
    list[str] | None,
    typer.Argument(metavar="AUDIO", help="Files and folders; the text of x.wav is in x.txt or x.lab."),
]
Aligner = Annotated[
    str,
    typer.Option(
        metavar="pocketsphinx|FOLDER",
        help="What finds word times: pocketsphinx (US English), or a wav2vec2 CTC model's Hugging Face folder.",
    ),
]

Words = Annotated[str, typer.Option(metavar="N:M", help="Words in a span, least and most.")]


def word_range(text: str) -> tuple[int, int]:
    """`10:30` as two numbers. Raises a usage error."""
    least, colon, most = text.partition(":")
    if not (colon and least.isdecimal() and most.isdecimal() and 1 <= int(least) <= int(most)):
        raise typer.BadParameter(f"a range is written 10:30, least and most, not {text}")
    return int(least), int(most)


def shard_of(text: str | None) -> tuple[int, int] | None:
    """`2/8` as two numbers. Raises a usage error."""
    if text is None:
        return None
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
        raise typer.BadParameter(
            f"the first of 8 parts is 0/8, the last 7/8, not {text}", param_hint="--shard"
        )
    return int(part), int(parts)


def resumable(path: Path | None) -> Path:
    """The file that --resume goes on with. Raises a usage error where there can be none."""
    if path is None or str(path) == "-" or (path.exists() and not path.is_file()):
        raise typer.BadParameter("goes on with a file; name it with -o", param_hint="--resume")
    return path


def drawn_seed(seed: int | None) -> int:
    """The seed asked for, or a new one; -v shows it."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    console.log.info("seed %d", seed)
    return seed


def _quiet(value: bool) -> None:
    if value:
        console.set_quiet()


def _verbose(value: bool) -> None:
    if value:
        console.set_verbose()


def _debug(context: typer.Context, value: bool) -> None:
    if value:
        context.meta["spiritlm.debug"] = True


def _version(value: bool) -> None:
    if value:
        typer.echo(f"spiritlm {__version__}")
        raise typer.Exit()


def _general(
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", callback=_quiet, expose_value=False, help="Only errors on stderr."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v", "--verbose", callback=_verbose, expose_value=False, help="Say what is being done."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", callback=_debug, expose_value=False, help="Show the traceback of an error."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, expose_value=False, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Options of every command; typer makes their parser objects from this signature."""


def _general_options() -> list[Any]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(_general)
    return typer.main.get_command(app).params


class Command(TyperCommand):
    """A command that has the general options too, after its own."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or []), *_general_options()], **kwargs)


class Group(TyperGroup):
    """A group of commands; it takes the general options too."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or []), *_general_options()], **kwargs)
