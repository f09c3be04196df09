"""`spiritlm evaluate TASK`: benchmarks over a manifest."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spiritlm_cli.cli import options
from spiritlm_cli.cli.commands.evaluate_pairs import blimp, pairs, wuggy

if TYPE_CHECKING:
    from spiritlm_cli.evaluation.asr import SpeechToText
    from spiritlm_cli.evaluation.resynthesis import Resynthesis
    from spiritlm_cli.evaluation.tts import TextToSpeech
    from spiritlm_cli.jobs.failures import Failures

evaluate = typer.Typer(name="evaluate", cls=options.Group, no_args_is_help=True, rich_markup_mode=None)

Manifest = Annotated[
    Path, typer.Option(help="TSV with a header line or JSONL: id, audio, text, and speaker.")
]
Recognizer = Annotated[
    str,
    typer.Option(
        "--asr", metavar="NAME|DIR", help="The faster-whisper model that listens, by name or folder."
    ),
]
Speaker = Annotated[str | None, typer.Option(help="The vocoder's voice.  [default: the model's]")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only this many clips, from the first.")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="The most that the language model adds.")]
Items = Annotated[Path | None, typer.Option(metavar="FILE", help="Write what each clip gave here, as JSONL.")]


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
    asr: Recognizer = "base.en",
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
        model, expressive=units == "expressive", device=device, recognizer=asr, speaker=speaker
    )
    _measure(task, manifest, limit, as_json, items, _failures(on_error, errors))


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
    from spiritlm_cli.evaluation.asr import SAMPLING, SpeechToText

    task = SpeechToText.load(
        model,
        expressive=units == "expressive",
        device=device,
        dtype=dtype,
        sampling=replace(SAMPLING, max_new_tokens=max_new_tokens),
    )
    _measure(task, manifest, limit, as_json, items, _failures(on_error, errors))


@evaluate.command(cls=options.Command)
def tts(
    manifest: Manifest,
    asr: Recognizer = "base.en",
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
    from spiritlm_cli.evaluation.tts import SAMPLING, TextToSpeech

    task = TextToSpeech.load(
        model,
        expressive=units == "expressive",
        device=device,
        dtype=dtype,
        recognizer=asr,
        speaker=speaker,
        sampling=replace(SAMPLING, max_new_tokens=max_new_tokens, seed=seed),
    )
    _measure(task, manifest, limit, as_json, items, _failures(on_error, errors))


def _measure(
    task: "Resynthesis | SpeechToText | TextToSpeech",
    manifest: Path,
    limit: int | None,
    as_json: bool,
    items: Path | None,
    failures: "Failures",
) -> None:
    from rich.console import Console

    from spiritlm_cli.console import track
    from spiritlm_cli.errors import SpiritLMError
    from spiritlm_cli.jobs.output import LineWriter
    from spiritlm_cli.manifests.clip import BadClip, Clip
    from spiritlm_cli.manifests.manifest import scan_manifest

    clips = list(islice(scan_manifest(manifest), limit))
    with failures, LineWriter(items) if items else nullcontext() as writer:
        found: list[Any] = []
        seen = track(clips, "clips", len(clips))
        measure: Callable[[Clip], Any] = task.measure
        for clip in seen:
            try:
                if isinstance(clip, BadClip):
                    raise clip.error
                item = measure(clip)
            except SpiritLMError as error:
                failures.add(clip, error)
                continue
            found.append(item)
            if writer:
                writer.write_text(json.dumps(item.to_json(), ensure_ascii=False))
        report = task.report(found)
        if as_json:
            typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
        else:
            Console().print(report.table())
    if failures.count:
        raise typer.Exit(1)


for _task in (pairs, wuggy, blimp):
    evaluate.command(cls=options.Command)(_task)


def _failures(on_error: str, errors: Path | None) -> "Failures":
    from spiritlm_cli.jobs.failures import Failures

    return Failures(on_error, errors)
