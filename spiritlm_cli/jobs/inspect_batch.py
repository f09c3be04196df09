"""Clips alone and in batches: `inspect batch`."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import torch

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.files import naming
from spiritlm_cli.inspection.batches import BatchComparison, BatchDifference, BatchReport
from spiritlm_cli.inspection.wrapping import shown_line
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.inputs import Inputs
from spiritlm_cli.jobs.options.inspect_batch import InspectBatchOptions
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.jobs.run import Summary
from spiritlm_cli.manifests.clip import BadClip, Waveform
from spiritlm_cli.nn.memory import default_batch_seconds
from spiritlm_cli.speech.tokenizer import SpeechTokenizer

__all__ = ["BatchCheck", "InspectBatchOptions", "run"]

# Of audio in the largest batches on a CPU, where memory sets no limit.
_CPU_SECONDS = 60.0


@dataclass(frozen=True)
class BatchCheck(Summary):
    """What was compared, and the result."""

    report: BatchReport = field(default_factory=lambda: BatchReport({}))


def run(options: InspectBatchOptions) -> BatchCheck:
    """Compare the units of clips alone with those of the same clips in batches; differences are printed.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first clip
    that can't be used.
    """
    options.check()
    tokenizer = SpeechTokenizer.load(
        options.checkpoint, options.expressive, options.f0, options.device, options.dtype, options.compile
    )
    report = BatchReport(_setting(options, tokenizer))
    comparison = BatchComparison(tokenizer, report, _batch_seconds(options, tokenizer), options.seed)
    with (
        Failures(options.on_error, options.errors) as failures,
        Progress("clips", _count(options) if Progress.shown() else None, lines=False) as progress,
    ):
        for differences in comparison.compare(_read(options, tokenizer, failures, progress)):
            if not options.as_json:
                _print(differences)
    return BatchCheck(report.clips + failures.count, failures.count, report)


def _setting(options: InspectBatchOptions, tokenizer: SpeechTokenizer) -> dict[str, str]:
    device = tokenizer.device
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    threads = f", threads: {torch.get_num_threads()}" if device.type == "cpu" else ""
    return {
        "model": options.checkpoint.name,
        "units": "expressive units" if options.expressive else "base units",
        "device": f"{device}{name}{threads}",
        "dtype": options.dtype,
        "torch": f"torch {torch.__version__}",
    }


def _batch_seconds(options: InspectBatchOptions, tokenizer: SpeechTokenizer) -> float:
    if options.batch_seconds is not None:
        return options.batch_seconds
    return _CPU_SECONDS if tokenizer.device.type == "cpu" else default_batch_seconds(tokenizer.device)


def _count(options: InspectBatchOptions) -> int | None:
    count = Inputs.of(options).count()
    return count if count is None or options.limit is None else min(count, options.limit)


def _read(
    options: InspectBatchOptions, tokenizer: SpeechTokenizer, failures: Failures, progress: Progress
) -> Iterator[tuple[str, Waveform]]:
    for clip in islice(Inputs.of(options).clips(), options.limit):
        try:
            if isinstance(clip, BadClip):
                raise clip.error
            waveform = read_clip(clip, rate=tokenizer.rate)
            tokenizer.check_waveform(waveform)
        except SpiritLMError as error:
            failures.add(clip, error)
            progress.advance(failed=True)
            continue
        yield clip.id, waveform
        progress.add_seconds(waveform.seconds)
        progress.advance()


def _print(differences: list[BatchDifference]) -> None:
    with naming("stdout"):
        for difference in differences:
            print(shown_line(str(difference)))
        sys.stdout.flush()
