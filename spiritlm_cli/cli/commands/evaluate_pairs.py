"""`spiritlm evaluate pairs`, `wuggy` and `blimp`: which of two the language model finds likelier."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spiritlm_cli.cli import options
from spiritlm_cli.console import notify, track

if TYPE_CHECKING:
    from spiritlm_cli.evaluation.pair_report import PublishedAccuracy
    from spiritlm_cli.evaluation.pair_scoring import PairScorer
    from spiritlm_cli.evaluation.pairs import Entry
    from spiritlm_cli.evaluation.zerospeech import Benchmark
    from spiritlm_cli.jobs.failures import Failures

Items = Annotated[
    Path | None, typer.Option("--items", metavar="FILE", help="Write what each pair gave here, as JSONL.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only this many pairs, from the first.")]
Submission = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Write ZeroSpeech's files here: the mean log-likelihood of every wav there is."
    ),
]


def pairs(
    path: Annotated[
        Path, typer.Argument(metavar="TSV", help="Columns good and bad: token lines, or text; id and type.")
    ],
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
    """How often the language model finds the good one of two likelier.

    \b
    Example:
      spiritlm evaluate pairs pairs.tsv --items items.jsonl
    """
    from spiritlm_cli.evaluation.pair_files import read_pairs
    from spiritlm_cli.evaluation.pair_scoring import PairScorer

    entries = list(islice(read_pairs(path), limit))
    task = PairScorer.load(model, expressive=units == "expressive", device=device, dtype=dtype)
    _compare("pairs", task, entries, as_json, items, _failures(on_error, errors))


def wuggy(
    path: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="ZeroSpeech 2021's, or lexical, dev or test in it.")
    ],
    text: Annotated[bool, typer.Option("--text", help="Score the words as they are written.")] = False,
    submission: Submission = None,
    limit: Limit = None,
    as_json: options.Json = False,
    items: Items = None,
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
    from spiritlm_cli.evaluation.pair_scoring import PairScorer

    entries = _zerospeech(path, "lexical", text, submission, limit)
    task = PairScorer.load(
        model,
        speech=not text,
        expressive=units == "expressive",
        device=device,
        dtype=dtype,
        batch_seconds=batch_seconds,
        workers=workers,
    )
    published = _published("lexical", text)
    submission = submission / "lexical" if submission else None
    _compare("wuggy", task, entries, as_json, items, _failures(on_error, errors), published, submission)


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
    limit: Limit = None,
    as_json: options.Json = False,
    items: Items = None,
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
    from spiritlm_cli.evaluation.pair_scoring import PairScorer

    entries: Sequence[Entry]
    if files := blimp_files(path):
        if submission:
            raise typer.BadParameter("is of ZeroSpeech's wavs, not of JSONL", param_hint="--submission")
        entries = list(islice(read_blimp(path), limit))
    else:
        entries = _zerospeech(path, "syntactic", text, submission, limit)
    written = text or bool(files)
    task = PairScorer.load(
        model,
        speech=not written,
        expressive=units == "expressive",
        device=device,
        dtype=dtype,
        batch_seconds=batch_seconds,
        workers=workers,
    )
    published = _published("syntactic", written)
    submission = submission / "syntactic" if submission else None
    _compare("blimp", task, entries, as_json, items, _failures(on_error, errors), published, submission)


def _zerospeech(
    path: Path, benchmark: "Benchmark", text: bool, submission: Path | None, limit: int | None
) -> "list[Entry]":
    if submission and (text or limit):
        other = "--text" if text else "--limit"
        raise typer.BadParameter(f"is of all wavs, so can't be had with {other}", param_hint="--submission")

    from spiritlm_cli.evaluation.zerospeech import read_parts

    entries, without = read_parts(path, benchmark, text=text, all_files=submission is not None)
    if without and not submission:
        notify(f"spiritlm: {', '.join(map(str, without))}: no gold.csv, so left out")
    return entries[:limit]


def _published(benchmark: "Benchmark", text: bool) -> "tuple[PublishedAccuracy, ...]":
    from spiritlm_cli.evaluation.zerospeech import PUBLISHED

    return PUBLISHED[benchmark, "text" if text else "speech"]


def _compare(
    name: str,
    task: "PairScorer",
    entries: "Sequence[Entry]",
    as_json: bool,
    items: Path | None,
    failures: "Failures",
    published: "tuple[PublishedAccuracy, ...]" = (),
    submission: Path | None = None,
) -> None:
    from rich.console import Console

    from spiritlm_cli.errors import SpiritLMError
    from spiritlm_cli.evaluation.pair_report import PairReport
    from spiritlm_cli.evaluation.pairs import Comparison, ScoredEntry, Unpaired
    from spiritlm_cli.jobs.output import LineWriter

    scores: dict[str, LineWriter] = {}

    def compared(_: "Entry", scored: ScoredEntry) -> Comparison | None:
        if scored.entry.set in scores:
            for candidate, score in scored.candidate_scores():
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
            for scored in track(task.score_stream(entries), "pairs", len(entries)):
                try:
                    comparison = compared(scored.entry, scored)
                except SpiritLMError as error:
                    failures.add(scored.entry, error)
                    continue
                if comparison:
                    found.append(comparison)
                    if writer:
                        writer.write_text(json.dumps(comparison.to_json(), ensure_ascii=False))
        if submission and all(isinstance(entry, Unpaired) for entry in entries):
            raise typer.Exit(1 if failures.count else 0)
        report = PairReport.of(name, found, failures.count, published)
        if as_json:
            typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
        else:
            Console().print(report.table())
    if failures.count:
        raise typer.Exit(1)


def _failures(on_error: str, errors: Path | None) -> "Failures":
    from spiritlm_cli.jobs.failures import Failures

    return Failures(on_error, errors)
