"""`spiritlm tokenize`: sound to token lines."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spiritlm_cli.commands import options
from spiritlm_cli.commands.lines import Failures, LineWriter

if TYPE_CHECKING:
    from spiritlm_cli.audio.clip import BadClip, Clip
    from spiritlm_cli.tokens.units import Units


def tokenize(
    audio: Annotated[
        list[str] | None, typer.Argument(metavar="AUDIO", help="Files, folders, - for stdin.")
    ] = None,
    manifest: options.Manifest = None,
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
    header: options.HeaderLine = False,
    output: options.Output = None,
    ids: options.Ids = None,
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    model: options.Model = None,
    device: options.Device = "auto",
) -> None:
    """Turn sound into lines of tokens.

    \b
    Examples:
      spiritlm tokenize in.wav
      spiritlm tokenize --ids one.flac two.mp3 folder/ > tokens.txt
      spiritlm tokenize --manifest clips.tsv --on-error skip --errors bad.tsv -o tokens.txt
      cat in.wav | spiritlm tokenize --units base -
    """
    if not audio and not manifest:
        raise typer.BadParameter(
            "give files or folders with sound, - for stdin, or --manifest", param_hint="AUDIO"
        )
    if audio and manifest:
        raise typer.BadParameter("give files or --manifest, not both", param_hint="AUDIO")
    if header and format != "text":
        raise typer.BadParameter("only lines of tokens have a header", param_hint="--header")
    if channel != "mix" and not channel.isdecimal():
        raise typer.BadParameter(f"mix or a channel's number from 0, not {channel}", param_hint="--channel")

    from spiritlm_cli.audio.manifest import find_clips, scan_manifest
    from spiritlm_cli.audio.reading import read_clip
    from spiritlm_cli.checkpoints import find_checkpoint
    from spiritlm_cli.speech.tokenizer import SpeechTokenizer
    from spiritlm_cli.tokens.sequence import Line, Sequence
    from spiritlm_cli.tokens.timeline import merge_streams

    tokenizer = SpeechTokenizer.load(model, expressive=units == "expressive", f0=f0, device=device)
    clips = scan_manifest(Path(manifest)) if manifest else find_clips(audio or [])
    if ids is None:
        # By what was asked for, not by what was found: a folder of one file gives the same form as any.
        ids = manifest is not None or len(audio or []) > 1 or Path((audio or ["-"])[0]).is_dir()
    selected: int | Literal["mix"] = "mix" if channel == "mix" else int(channel)
    with Failures(on_error, errors) as failures, LineWriter(output, ids) as writer:
        if header:
            writer.write_header(find_checkpoint(model))
        for clip, found in failures.each(
            clips, lambda clip: tokenizer.encode(read_clip(clip, channel=selected))
        ):
            if format == "jsonl":
                writer.write_text(_to_json(clip, found))
            else:
                spans = [] if found is None else [merge_streams(found, keep_repeats)]
                writer.write(Line(Sequence.of(spans), clip.id))


def _to_json(clip: "Clip | BadClip", units: "Units | None") -> str:
    """One object with the key names and the spelling of the published tokenizer."""
    # A path's bytes need not be UTF-8; JSON must be.
    found = {"id": clip.id, "audio": os.fsencode(clip.source).decode(errors="replace")}
    for name in ("hubert", "pitch", "style"):
        stream = getattr(units, name, None)
        if stream is not None:
            found[name] = " ".join(map(str, stream.tolist()))
    return json.dumps(found, ensure_ascii=False)
