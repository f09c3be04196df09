"""Benchmarks over the clips of a manifest: `evaluate resynthesis`, `asr` and `tts`."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol, TypeVar

from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.evaluation import asr, tts
from spiritlm_cli.evaluation.pair_report import PairReport
from spiritlm_cli.evaluation.report import Report
from spiritlm_cli.evaluation.resynthesis import Resynthesis
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.options.evaluate import (
    AsrOptions,
    ClipBenchmarkOptions,
    ResynthesisOptions,
    TtsOptions,
)
from spiritlm_cli.jobs.output import LineWriter
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.jobs.run import Summary
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.labels import drop_labels
from spiritlm_cli.manifests.manifest import scan_manifest

__all__ = ["AsrOptions", "Evaluation", "ResynthesisOptions", "TtsOptions", "run"]


class Item(Protocol):
    """The result of one clip."""

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        ...


ItemType = TypeVar("ItemType", bound=Item)


class ClipBenchmark(Protocol[ItemType]):
    """Scores clips, and reports over all of them."""

    def measure(self, clip: Clip) -> ItemType:
        """Score one clip. Raises SpiritLMError."""
        ...

    def report(self, items: Iterable[ItemType]) -> Report:
        """Build the report. Raises ManifestError if there are no items."""
        ...


@dataclass(frozen=True)
class Evaluation(Summary):
    """What a benchmark did, and its report; None if there was nothing to compare."""

    report: Report | PairReport | None = None


def run(options: ResynthesisOptions | AsrOptions | TtsOptions) -> Evaluation:
    """Run a benchmark over clips.

    Raises OSError if the manifest does not exist, SpiritLMError for what ends the run, and with `on_error="fail"` the
    error of the first clip that can't be used.
    """
    options.check()
    clips = list(islice(drop_labels(scan_manifest(options.manifest)), options.limit))
    if isinstance(options, ResynthesisOptions):
        return _measure(_resynthesis(options), clips, options)
    if isinstance(options, AsrOptions):
        return _measure(_asr(options), clips, options)
    return _measure(_tts(options), clips, options)


def _resynthesis(options: ResynthesisOptions) -> Resynthesis:
    return Resynthesis.load(
        options.checkpoint,
        expressive=options.expressive,
        device=options.device,
        recognizer=options.asr,
        speaker=options.speaker,
        normalizer=options.normalizer,
    )


def _asr(options: AsrOptions) -> asr.SpeechToText:
    return asr.SpeechToText.load(
        options.checkpoint,
        expressive=options.expressive,
        device=options.device,
        dtype=options.dtype,
        sampling=replace(asr.SAMPLING, max_new_tokens=options.max_new_tokens),
        task=options.task,
        normalizer=options.normalizer,
    )


def _tts(options: TtsOptions) -> tts.TextToSpeech:
    return tts.TextToSpeech.load(
        options.checkpoint,
        expressive=options.expressive,
        device=options.device,
        dtype=options.dtype,
        recognizer=options.asr,
        speaker=options.speaker,
        sampling=replace(tts.SAMPLING, max_new_tokens=options.max_new_tokens, seed=options.seed),
        normalizer=options.normalizer,
    )


def _measure(
    benchmark: ClipBenchmark[ItemType], clips: list[Clip | BadClip], options: ClipBenchmarkOptions
) -> Evaluation:
    items: list[ItemType] = []
    with ExitStack() as stack:
        failures = stack.enter_context(Failures(options.on_error, options.errors))
        writer = stack.enter_context(LineWriter(options.items)) if options.items else None
        progress = stack.enter_context(Progress("clips", len(clips), lines=False))
        for clip in clips:
            try:
                if isinstance(clip, BadClip):
                    raise clip.error
                item = benchmark.measure(clip)
            except SpiritLMError as error:
                failures.add(clip, error)
                progress.advance(failed=True)
                continue
            progress.advance()
            items.append(item)
            if writer:
                writer.write_text(json.dumps(item.to_json(), ensure_ascii=False))
        report = benchmark.report(items)
    return Evaluation(len(clips), failures.count, report)
