"""`spiritlm bench`: the speed of each stage on this machine."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import print_report
from spiritlm_cli.console import notify
from spiritlm_cli.jobs.options.parts import LanguageModelPart, TokenizerPart, VocoderPart
from spiritlm_cli.jobs.options.shared import Dtype, ModelOptions, batch_seconds_option, speech_dtype_option
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class BenchOptions(TokenizerPart, LanguageModelPart, VocoderPart, ModelOptions):
    """Options of `spiritlm bench`."""

    seconds: float = option(60, "Seconds of audio to process.", metavar="SECONDS", minimum=1)
    audio: Path | None = option(
        None,
        "Speech, repeated if it is shorter.",
        metavar="FILE",
        default_text="a bundled recording",
        group="input",
    )
    json: bool = option(False, "Print one JSON object in place of the table.", group="output")
    batch_seconds: float | None = batch_seconds_option()
    dtype: Dtype = speech_dtype_option()


@command(BenchOptions)
def bench(options: BenchOptions) -> None:
    """Measure the speed of each stage here; the table goes to stdout.

    \b
    Examples:
      spiritlm bench
      spiritlm bench --device cuda --dtype bfloat16 --seconds 1200
      spiritlm bench --model spirit-lm/ --audio in.wav --json
      spiritlm bench --model twist --lm slam
    """
    from spiritlm_cli.profiling.clips import RECORDING
    from spiritlm_cli.profiling.speed import measure_speed

    report = measure_speed(
        options.checkpoint,
        expressive=options.expressive,
        device=options.device,
        dtype=options.dtype,
        seconds=options.seconds,
        audio=options.audio or RECORDING,
        batch_seconds=options.batch_seconds,
        notify=notify,
    )
    print_report(report, options.json)
