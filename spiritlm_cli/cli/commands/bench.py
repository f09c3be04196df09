"""`spiritlm bench`: how fast this machine is."""

import json
from pathlib import Path
from typing import Annotated

import typer

from spiritlm_cli.cli import options


def bench(
    seconds: Annotated[float, typer.Option(min=1, help="How much sound.")] = 60,
    audio: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Speech, over and over where it is shorter.  [default: a recording in the package]",
        ),
    ] = None,
    as_json: options.Json = False,
    units: options.Units = "expressive",
    batch_seconds: options.BatchSeconds = None,
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.SpeechDtype = "float32",
) -> None:
    """Measure how fast each stage is here; the table goes to stdout.

    \b
    Examples:
      spiritlm bench
      spiritlm bench --device cuda --dtype bf16 --seconds 1200
      spiritlm bench --model spirit-lm/ --audio in.wav --json
    """
    from rich.console import Console

    from spiritlm_cli.console import notify, one_line
    from spiritlm_cli.profiling.clips import RECORDING
    from spiritlm_cli.profiling.speed import measure_speed

    report = measure_speed(
        model,
        expressive=units == "expressive",
        device=device,
        dtype=options.DTYPES[dtype],
        seconds=seconds,
        audio=audio or RECORDING,
        batch_seconds=batch_seconds,
        notify=lambda message: notify(f"spiritlm: {one_line(message)}"),
    )
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        Console().print(report.table())
