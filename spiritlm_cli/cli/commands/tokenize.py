"""`spiritlm tokenize`: sound to token lines."""

from contextlib import closing
from typing import Annotated, Literal

import typer

from spiritlm_cli.cli import options
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.inputs import Inputs
from spiritlm_cli.jobs.output import Finished, LineWriter, data_only, heading_of
from spiritlm_cli.jobs.progress import Progress


def tokenize(
    audio: Annotated[
        list[str] | None, typer.Argument(metavar="AUDIO", help="Files, folders, - for stdin.")
    ] = None,
    manifest: options.Manifest = None,
    files_from: options.FilesFrom = None,
    null: options.Nul = False,
    shard: options.Shard = None,
    units: options.Units = "expressive",
    keep_repeats: Annotated[
        bool, typer.Option("--keep-repeats", help="Leave runs of equal units in.")
    ] = False,
    f0: Annotated[Literal["fcpe", "pyaapt"], typer.Option(help="What follows the pitch.")] = "fcpe",
    channel: Annotated[
        str, typer.Option(metavar="mix|N", help="Their average, or one of them, from 0.")
    ] = "mix",
    format: Annotated[  # noqa: A002
        Literal["text", "jsonl"], typer.Option(help="Token lines, or the streams as JSON objects.")
    ] = "text",
    stream: Annotated[
        bool, typer.Option("--stream", help="Write of a long sound what is heard, every 100 s of it.")
    ] = False,
    header: options.HeaderLine = False,
    output: options.Output = None,
    resume: options.Resume = False,
    ids: options.Ids = None,
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    batch_seconds: options.BatchSeconds = None,
    workers: options.Workers = 2,
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.SpeechDtype = "float32",
    compile: options.Compile = False,  # noqa: A002
    ray: options.Ray = None,
) -> None:
    """Turn sound into lines of tokens.

    \b
    Examples:
      spiritlm tokenize in.wav
      spiritlm tokenize --ids one.flac two.mp3 folder/ > tokens.txt
      spiritlm tokenize --manifest clips.tsv --on-error skip --errors bad.tsv -o tokens.txt
      find . -name '*.wav' -print0 | spiritlm tokenize --files-from - -0 -o tokens.txt --resume
      cat in.wav | spiritlm tokenize --units base -
    """
    inputs = Inputs(audio or [], manifest, files_from, null, options.shard_of(shard))
    if format != "text" and (header or stream):
        raise typer.BadParameter("is for lines of tokens", param_hint="--header" if header else "--stream")
    if ray and stream:
        raise typer.BadParameter("can't be had with --stream", param_hint="--ray")
    if channel != "mix" and not channel.isdecimal():
        raise typer.BadParameter(f"mix or a channel's number from 0, not {channel}", param_hint="--channel")
    finished = Finished.of(options.resumable(output)) if resume else None
    selected: int | Literal["mix"] = "mix" if channel == "mix" else int(channel)

    from spiritlm_cli.checkpoints import find_checkpoint
    from spiritlm_cli.distributed import Loading, encode_on_ray
    from spiritlm_cli.jobs.units import UnitWriter

    heading = heading_of(find_checkpoint(model)) if header and inputs.first else None
    clips = finished.after(inputs.clips(), heading) if finished else inputs.clips()
    before = finished or Finished.nothing()
    with (
        Failures(on_error, errors, before.failed) as failures,
        LineWriter(output, inputs.several if ids is None else ids, finished) as writer,
        data_only(),
        Progress("clips", inputs.count() if Progress.shown() else None, before.clips) as progress,
    ):
        if heading and not before.size:
            writer.write_text(heading)
        lines = UnitWriter(writer, progress, keep_repeats, format == "jsonl", stream)
        loading = Loading(model, units == "expressive", f0, device, options.DTYPES[dtype], compile)
        if ray:
            encoded = encode_on_ray(
                clips, ray, loading=loading, channel=selected, batch_seconds=batch_seconds, workers=workers
            )
        else:
            encoded = loading.load().encode_stream(
                clips, channel=selected, batch_seconds=batch_seconds, workers=workers, stream=stream
            )
        with closing(encoded):
            for clip, written in failures.each_of(encoded, lines.write):
                if not written:
                    lines.write_nothing(clip)
