"""`spiritlm evaluate TASK`: benchmarks over a manifest."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiritlm_cli.commands import options
from spiritlm_cli.commands.failures import Failures
from spiritlm_cli.commands.output import LineWriter

if TYPE_CHECKING:
    from spiritlm_cli.evaluation.pair_report import PublishedAccuracy
    from spiritlm_cli.evaluation.pairs import Entry, PairTask
    from spiritlm_cli.evaluation.recognition import SpeechToText, TextToSpeech
    from spiritlm_cli.evaluation.resynthesis import Resynthesis
    from spiritlm_cli.evaluation.zerospeech import Benchmark

evaluate = typer.Typer(name="evaluate", cls=options.Group, no_args_is_help=True, rich_markup_mode=None)

Manifest = Annotated[
    Path, typer.Option(help="TSV with a header line or JSONL: id, audio, text, and speaker.")
]
Recogniser = Annotated[
    str,
    typer.Option(
        "--asr", metavar="NAME|DIR", help="The faster-whisper model that listens, by name or folder."
    ),
]
Speaker = Annotated[str | None, typer.Option(help="The vocoder's voice.  [default: the model's]")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only this many clips, from the first.")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="The most that the language model adds.")]
Items = Annotated[Path | None, typer.Option(metavar="FILE", help="Write what each clip gave here, as JSONL.")]
PairItems = Annotated[
    Path | None, typer.Option("--items", metavar="FILE", help="Write what each pair gave here, as JSONL.")
]
PairLimit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only this many pairs, from the first.")
]
Submission = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Write ZeroSpeech's files here: the mean log-likelihood of every wav there is."
    ),
]


@evaluate.callback()
def about() -> None:
    """Measure how well a model does; the result goes to stdout.

    \b
    Examples:
      spiritlm evaluate resynthesis --manifest clips.tsv
      spiritlm evaluate asr --manifest clips.tsv --limit 20 --json
      spiritlm evaluate tts --manifest clips.tsv --asr large-v3 --items items.jsonl
      spiritlm evaluate wuggy zerospeech2021/
    """


@evaluate.command(cls=options.Command)
def resynthesis(
    manifest: Manifest,
    asr: Recogniser = "base.en",
    speaker: Annotated[
        str | None,
        typer.Option(help="The voice; same: the clip's own where it has one.  [default: the model's]"),
    ] = None,
    limit: Limit = None,
    as_json: options.Json = False,
    items: Items = None,
    units: options.Units = "expressive",
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    model: options.Model = None,
    device: options.Device = "auto",
) -> None:
    """Word errors of speech that went through tokens and back.

    Character errors too, and both of the original beside them.

    \b
    Example:
      spiritlm evaluate resynthesis --manifest clips.tsv --limit 40
    """
    from spiritlm_cli.evaluation.resynthesis import Resynthesis

    task = Resynthesis.load(
        model, expressive=units == "expressive", device=device, recogniser=asr, speaker=speaker
    )
    _measure(task, manifest, limit, as_json, items, Failures(on_error, errors))


@evaluate.command(cls=options.Command)
def asr(
    manifest: Manifest,
    max_new_tokens: MaxNewTokens = 50,
    limit: Limit = None,
    as_json: options.Json = False,
    items: Items = None,
    units: options.Units = "expressive",
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
) -> None:
    """Word errors of what the language model writes after speech.

    \b
    Example:
      spiritlm evaluate asr --manifest clips.tsv --limit 40
    """
    from spiritlm_cli.evaluation.recognition import ASR_SAMPLING, SpeechToText

    task = SpeechToText.load(
        model,
        expressive=units == "expressive",
        device=device,
        dtype=dtype,
        sampling=replace(ASR_SAMPLING, max_new_tokens=max_new_tokens),
    )
    _measure(task, manifest, limit, as_json, items, Failures(on_error, errors))


@evaluate.command(cls=options.Command)
def tts(
    manifest: Manifest,
    asr: Recogniser = "base.en",
    speaker: Speaker = None,
    max_new_tokens: MaxNewTokens = 300,
    seed: Annotated[int, typer.Option(min=0, help="Of what the language model draws.")] = 0,
    limit: Limit = None,
    as_json: options.Json = False,
    items: Items = None,
    units: options.Units = "expressive",
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
) -> None:
    """Word errors of what is heard when the model speaks a text.

    \b
    Example:
      spiritlm evaluate tts --manifest clips.tsv --limit 40
    """
    from spiritlm_cli.evaluation.recognition import TTS_SAMPLING, TextToSpeech

    task = TextToSpeech.load(
        model,
        expressive=units == "expressive",
        device=device,
        dtype=dtype,
        recogniser=asr,
        speaker=speaker,
        sampling=replace(TTS_SAMPLING, max_new_tokens=max_new_tokens, seed=seed),
    )
    _measure(task, manifest, limit, as_json, items, Failures(on_error, errors))


@evaluate.command(cls=options.Command)
def pairs(
    path: Annotated[
        Path, typer.Argument(metavar="TSV", help="Columns good and bad: token lines, or text; id and type.")
    ],
    limit: PairLimit = None,
    as_json: options.Json = False,
    items: PairItems = None,
    units: options.Units = "expressive",
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
) -> None:
    """How often the language model finds the good one of two likelier.

    \b
    Example:
      spiritlm evaluate pairs pairs.tsv --items items.jsonl
    """
    from spiritlm_cli.evaluation.pair_files import read_pairs
    from spiritlm_cli.evaluation.pairs import PairTask

    entries = list(islice(read_pairs(path), limit))
    task = PairTask.load(model, expressive=units == "expressive", device=device, dtype=dtype)
    _compare("pairs", task, entries, as_json, items, Failures(on_error, errors))


@evaluate.command(cls=options.Command)
def wuggy(
    path: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="ZeroSpeech 2021's, or lexical, dev or test in it.")
    ],
    text: Annotated[bool, typer.Option("--text", help="Score the words as they are written.")] = False,
    submission: Submission = None,
    limit: PairLimit = None,
    as_json: options.Json = False,
    items: PairItems = None,
    units: options.Units = "expressive",
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    batch_seconds: options.BatchSeconds = None,
    workers: options.Workers = 2,
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
) -> None:
    """How often a word is likelier than a non-word (sWUGGY).

    \b
    Examples:
      spiritlm evaluate wuggy zerospeech2021/
      spiritlm evaluate wuggy zerospeech2021/lexical/dev --text
      spiritlm evaluate wuggy zerospeech2021/ --submission submission/
    """
    from spiritlm_cli.evaluation.pairs import PairTask

    entries = _zerospeech(path, "lexical", text, submission, limit)
    task = PairTask.load(
        model,
        sound=not text,
        expressive=units == "expressive",
        device=device,
        dtype=dtype,
        batch_seconds=batch_seconds,
        workers=workers,
    )
    published = _published("lexical", text)
    submission = submission / "lexical" if submission else None
    _compare("wuggy", task, entries, as_json, items, Failures(on_error, errors), published, submission)


@evaluate.command(cls=options.Command)
def blimp(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|JSONL",
            help="ZeroSpeech 2021's folder, or syntactic, dev or test in it; or BLiMP's JSONL, or a folder of it.",
        ),
    ],
    text: Annotated[bool, typer.Option("--text", help="Score the sentences as they are written.")] = False,
    submission: Submission = None,
    limit: PairLimit = None,
    as_json: options.Json = False,
    items: PairItems = None,
    units: options.Units = "expressive",
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    batch_seconds: options.BatchSeconds = None,
    workers: options.Workers = 2,
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
) -> None:
    """How often a grammatical sentence is likelier than one that isn't (sBLIMP, BLiMP).

    \b
    Examples:
      spiritlm evaluate blimp zerospeech2021/
      spiritlm evaluate blimp blimp/data/
      spiritlm evaluate blimp zerospeech2021/ --submission submission/
    """
    from spiritlm_cli.evaluation.blimp import blimp_files, read_blimp
    from spiritlm_cli.evaluation.pairs import PairTask

    entries: Sequence[Entry]
    if files := blimp_files(path):
        if submission:
            raise typer.BadParameter("is of ZeroSpeech's wavs, not of JSONL", param_hint="--submission")
        entries = list(islice(read_blimp(path), limit))
    else:
        entries = _zerospeech(path, "syntactic", text, submission, limit)
    written = text or bool(files)
    task = PairTask.load(
        model,
        sound=not written,
        expressive=units == "expressive",
        device=device,
        dtype=dtype,
        batch_seconds=batch_seconds,
        workers=workers,
    )
    published = _published("syntactic", written)
    submission = submission / "syntactic" if submission else None
    _compare("blimp", task, entries, as_json, items, Failures(on_error, errors), published, submission)


def _zerospeech(
    path: Path, benchmark: "Benchmark", text: bool, submission: Path | None, limit: int | None
) -> "list[Entry]":
    if submission and (text or limit):
        other = "--text" if text else "--limit"
        raise typer.BadParameter(f"is of all wavs, so can't be had with {other}", param_hint="--submission")

    from spiritlm_cli.evaluation.zerospeech import read_parts

    entries, without = read_parts(path, benchmark, text=text, every=submission is not None)
    if without and not submission:
        options.tell(f"spiritlm: {', '.join(map(str, without))}: no gold.csv, so left out")
    return entries[:limit]


def _published(benchmark: "Benchmark", text: bool) -> "tuple[PublishedAccuracy, ...]":
    from spiritlm_cli.evaluation.zerospeech import PUBLISHED

    return PUBLISHED[benchmark, "text" if text else "speech"]


def _compare(
    name: str,
    task: "PairTask",
    entries: "Sequence[Entry]",
    as_json: bool,
    items: Path | None,
    failures: Failures,
    published: "tuple[PublishedAccuracy, ...]" = (),
    submission: Path | None = None,
) -> None:
    from rich.console import Console
    from rich.progress import track

    from spiritlm_cli.evaluation.pair_report import PairReport
    from spiritlm_cli.evaluation.pairs import Comparison, Lone, Scored

    on_terminal = Console(stderr=True)
    scores: dict[str, LineWriter] = {}

    def compared(_: "Entry", scored: Scored) -> Comparison | None:
        if scored.entry.set in scores:
            for candidate, score in scored.known():
                scores[scored.entry.set].write_text(f"{candidate} {score.mean!r}")
        return scored.comparison()

    with failures:
        found: list[Comparison] = []
        with ExitStack() as files:
            writer = files.enter_context(LineWriter(items)) if items else None
            if submission:
                submission.mkdir(parents=True, exist_ok=True)
                for part in dict.fromkeys(entry.set for entry in entries if entry.set):
                    scores[part] = files.enter_context(LineWriter(submission / f"{part}.txt"))
            seen: Iterable[Scored] = track(
                task.score_each(entries),
                "pairs",
                total=len(entries),
                console=on_terminal,
                disable=not on_terminal.is_terminal,
            )
            for _, comparison in failures.each_of(((scored.entry, scored) for scored in seen), compared):
                if comparison:
                    found.append(comparison)
                    if writer:
                        writer.write_text(json.dumps(comparison.to_json(), ensure_ascii=False))
        if submission and all(isinstance(entry, Lone) for entry in entries):
            return
        report = PairReport.of(name, found, failures.count, published)
        if as_json:
            typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
        else:
            Console().print(report.table())


def _measure(
    task: "Resynthesis | SpeechToText | TextToSpeech",
    manifest: Path,
    limit: int | None,
    as_json: bool,
    items: Path | None,
    failures: Failures,
) -> None:
    from rich.console import Console
    from rich.progress import track

    from spiritlm_cli.audio.clip import Clip
    from spiritlm_cli.audio.manifest import scan_manifest

    clips = list(islice(scan_manifest(manifest), limit))
    on_terminal = Console(stderr=True)
    with failures, LineWriter(items) if items else nullcontext() as writer:
        found: list[Any] = []
        seen = track(clips, "clips", console=on_terminal, disable=not on_terminal.is_terminal)
        measure: Callable[[Clip], Any] = task.measure
        for _, item in failures.each(seen, measure):
            if item is not None:
                found.append(item)
                if writer:
                    writer.write_text(json.dumps(item.to_json(), ensure_ascii=False))
        report = task.report(found)
        if as_json:
            typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
        else:
            Console().print(report.table())
