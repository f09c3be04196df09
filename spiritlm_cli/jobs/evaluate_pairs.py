"""Benchmarks that compare likelihoods of pairs: `evaluate pairs`, `wuggy` and `blimp`."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from spiritlm_cli.console import notify
from spiritlm_cli.errors import OptionError, SpiritLMError
from spiritlm_cli.evaluation.blimp import blimp_files, read_blimp
from spiritlm_cli.evaluation.pair_files import read_pairs
from spiritlm_cli.evaluation.pair_report import PairReport, PublishedAccuracy
from spiritlm_cli.evaluation.pair_scoring import PairScorer
from spiritlm_cli.evaluation.pairs import Comparison, Entry, Unpaired
from spiritlm_cli.evaluation.zerospeech import PUBLISHED, Benchmark, read_parts
from spiritlm_cli.jobs.evaluate import Evaluation
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.options.evaluate import BlimpOptions, PairsOptions, WuggyOptions, ZeroSpeechOptions
from spiritlm_cli.jobs.output import LineWriter
from spiritlm_cli.jobs.progress import Progress

__all__ = ["BlimpOptions", "PairsOptions", "WuggyOptions", "run"]


@dataclass(frozen=True)
class _Pairs:
    """What to score. speech: whether there are clips; submission: the folder of ZeroSpeech's submission files."""

    task: str
    entries: Sequence[Entry]
    speech: bool = False
    published: tuple[PublishedAccuracy, ...] = ()
    submission: Path | None = None


def run(options: PairsOptions | WuggyOptions | BlimpOptions) -> Evaluation:
    """Score pairs and compare their sides. There is no report if the entries are WAV files without answers.

    Raises OptionError, OSError if the input does not exist, SpiritLMError for what ends the run, and with
    `on_error="fail"` the error of the first pair that can't be used.
    """
    options.check()
    pairs = _read(options)
    scorer = PairScorer.load(
        options.checkpoint,
        speech=pairs.speech,
        expressive=options.expressive,
        device=options.device,
        dtype=options.dtype,
        batch_seconds=options.batch_seconds if isinstance(options, ZeroSpeechOptions) else None,
        workers=options.workers if isinstance(options, ZeroSpeechOptions) else 0,
    )
    with Failures(options.on_error, options.errors) as failures:
        comparisons = _compare(scorer, pairs, options.items, failures)
    report = None
    if not (pairs.submission and all(isinstance(entry, Unpaired) for entry in pairs.entries)):
        report = PairReport.of(pairs.task, comparisons, failures.count, pairs.published)
    return Evaluation(len(pairs.entries), failures.count, report)


def _read(options: PairsOptions) -> _Pairs:
    if isinstance(options, WuggyOptions):
        return _read_zerospeech("wuggy", "lexical", options)
    if not isinstance(options, BlimpOptions):
        return _Pairs("pairs", list(islice(read_pairs(options.path), options.limit)))
    if not blimp_files(options.path):
        return _read_zerospeech("blimp", "syntactic", options)
    if options.submission:
        raise OptionError("needs ZeroSpeech's WAV files, not JSONL", "--submission")
    entries = list(islice(read_blimp(options.path), options.limit))
    return _Pairs("blimp", entries, published=PUBLISHED["syntactic", "text"])


def _read_zerospeech(task: str, benchmark: Benchmark, options: ZeroSpeechOptions) -> _Pairs:
    entries, without_gold = read_parts(
        options.path, benchmark, text=options.text, all_files=options.submission is not None
    )
    if without_gold and not options.submission:
        notify(f"{', '.join(map(str, without_gold))}: no gold.csv, so left out")
    return _Pairs(
        task,
        entries[: options.limit],
        speech=not options.text,
        published=PUBLISHED[benchmark, "text" if options.text else "speech"],
        submission=options.submission / benchmark if options.submission else None,
    )


def _compare(scorer: PairScorer, pairs: _Pairs, items: Path | None, failures: Failures) -> list[Comparison]:
    """Compare all pairs; write items and submission files."""
    comparisons: list[Comparison] = []
    with ExitStack() as stack:
        writer = stack.enter_context(LineWriter(items)) if items else None
        submissions = _submission_writers(pairs, stack)
        progress = stack.enter_context(Progress("pairs", len(pairs.entries), lines=False))
        for scored in scorer.score_stream(pairs.entries):
            if scored.entry.set in submissions:
                for name, score in scored.candidate_scores():
                    submissions[scored.entry.set].write_text(f"{name} {score.mean!r}")
            try:
                comparison = scored.comparison()
            except SpiritLMError as error:
                failures.add(scored.entry, error)
                progress.advance(failed=True)
                continue
            progress.advance()
            if comparison:
                comparisons.append(comparison)
                if writer:
                    writer.write_text(json.dumps(comparison.to_json(), ensure_ascii=False))
    return comparisons


def _submission_writers(pairs: _Pairs, stack: ExitStack) -> dict[str | None, LineWriter]:
    """Open a submission file for each part, such as dev."""
    if not pairs.submission:
        return {}
    pairs.submission.mkdir(parents=True, exist_ok=True)
    parts = dict.fromkeys(entry.set for entry in pairs.entries if entry.set)
    return {part: stack.enter_context(LineWriter(pairs.submission / f"{part}.txt")) for part in parts}
