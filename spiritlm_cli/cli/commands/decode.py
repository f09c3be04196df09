"""`spiritlm decode`: token lines to sound."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from spiritlm_cli.cli import options
from spiritlm_cli.console import notify, one_line
from spiritlm_cli.jobs.decoding import GrowingInput, Speaking, read_as_it_grows
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.lines import read_input
from spiritlm_cli.jobs.output import LineWriter
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.jobs.sinks import Folder, OneFile, Recording


def decode(
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="FILE|DIR/|-", help="A sound, a folder of them, or WAV on stdout."
        ),
    ],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="Token lines.  [default: stdin]")
    ] = None,
    concat: Annotated[
        bool, typer.Option("--concat", help="Several sequences one after the other in a file.")
    ] = False,
    format: Annotated[  # noqa: A002
        Literal["wav", "flac", "ogg"], typer.Option(help="Of the files in a folder.")
    ] = "wav",
    sample_rate: Annotated[
        int | None,
        typer.Option(min=1000, max=384000, metavar="HZ", help="Resample to this.  [default: the model's]"),
    ] = None,
    bits: Annotated[
        Literal["16", "float"], typer.Option(help="16-bit integers, or 32-bit floats (WAV).")
    ] = "16",
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave the files alone that are in the folder already.")
    ] = False,
    speaker: Annotated[
        str | None, typer.Option(help="The voice, by name or number.  [default: the model's]")
    ] = None,
    style: Annotated[
        str | None, typer.Option(help="By name or number; in place of the line's own.  [default: the line's]")
    ] = None,
    durations: Annotated[
        Literal["auto", "predict", "keep"],
        typer.Option(
            help="keep: a token is 40 ms, as tokenize --keep-repeats has it; auto: if the line has repeats."
        ),
    ] = "auto",
    start: Annotated[
        Literal["start", "continuation"],
        typer.Option("--from", help="continuation: without the prompt that generate --echo wrote before it."),
    ] = "start",
    text_out: Annotated[
        Path | None,
        typer.Option("--text-out", help="Write the text of each line here.  [default: to stderr]"),
    ] = None,
    units: options.Units = "expressive",
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    batch_seconds: options.BatchSeconds = None,
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.SpeechDtype = "float32",
    compile: options.Compile = False,  # noqa: A002
) -> None:
    """Turn lines of tokens into sound.

    \b
    Examples:
      spiritlm tokenize in.wav | spiritlm decode -o out.wav
      spiritlm tokenize --ids folder/ | spiritlm decode -o sounds/ --format flac --speaker 1
      spiritlm tokenize in.wav | spiritlm generate --echo | spiritlm decode --from continuation -o out.wav
      echo '[TEXT]Once upon a time' | spiritlm generate --to speech --stream | spiritlm decode -o - > out.wav
    """
    to_folder = output.endswith("/") or Path(output).is_dir()
    if resume and not to_folder:
        raise typer.BadParameter("goes on with a folder, -o FOLDER/", param_hint="--resume")
    if bits == "float" and to_folder and format != "wav":
        raise typer.BadParameter(f"{format} has no floats; --format wav has", param_hint="--bits")

    from spiritlm_cli.checkpoints import find_checkpoint
    from spiritlm_cli.vocoder.vocoder import Vocoder

    # A wrong name is said now, not after all the work.
    recording = Recording(sample_rate, bits == "float")
    sounds: Folder | OneFile = (
        OneFile(output, concat, recording)
        if not to_folder
        else Folder(Path(output), f".{format}", recording, resume)
    )
    checkpoint = find_checkpoint(model)
    vocoder = Vocoder.load(model, units == "expressive", device, options.DTYPES[dtype], compile)
    # Looked up first: a voice that isn't there is nothing that a line could be blamed for.
    voice = vocoder.voices.speaker_index(speaker)
    vocoder.voices.style_index(style)

    speaking = Speaking(vocoder, voice, style, durations, start == "continuation")
    with ExitStack() as stack:
        failures = stack.enter_context(Failures(on_error, errors))
        texts = stack.enter_context(LineWriter(text_out)) if text_out else None
        stack.enter_context(sounds)
        progress = stack.enter_context(Progress("lines"))
        # what goes into one stream can be heard while it is written
        lines = (read_input if to_folder else read_as_it_grows)(files or ["-"], checkpoint)
        for line, written in failures.each_of(
            speaking.each(lines, sounds.has, batch_seconds),
            lambda line, blocks: sounds.write(
                progress.counted(blocks), line.name, growing=isinstance(line, GrowingInput)
            ),
        ):
            progress.done(failed=not written)
            text = speaking.text(line)
            if texts:
                texts.write_value(line.id, text)
            elif text:
                notify(one_line(text if line.id is None else f"{line.id}: {text}"))
