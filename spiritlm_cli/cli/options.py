"""Options of the commands that are not made from dataclasses yet."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from spiritlm_cli.cli import general

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


Command, Group = general.Command, general.Group
