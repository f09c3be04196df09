"""`spiritlm decode`: token lines to sound."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from spiritlm_cli.commands import options
from spiritlm_cli.commands.lines import Failures, LineWriter, one_line, read_input
from spiritlm_cli.commands.sounds import Folder, OneFile
from spiritlm_cli.errors import TokenError


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
    text_out: Annotated[
        Path | None,
        typer.Option("--text-out", help="Write the text of each line here.  [default: to stderr]"),
    ] = None,
    units: options.Units = "expressive",
    on_error: options.OnError = "fail",
    errors: options.ErrorsFile = None,
    model: options.Model = None,
    device: options.Device = "auto",
) -> None:
    """Turn lines of tokens into sound.

    \b
    Examples:
      spiritlm tokenize in.wav | spiritlm decode -o out.wav
      spiritlm tokenize --ids folder/ | spiritlm decode -o sounds/ --format flac --speaker 1
      echo '[TEXT]Once upon a time' | spiritlm generate --to speech | spiritlm decode -o - > out.wav
    """
    from spiritlm_cli.checkpoints import find_checkpoint
    from spiritlm_cli.speech.vocoder import Vocoder

    to_folder = output.endswith("/") or Path(output).is_dir()
    # A wrong name is said now, not after all the work.
    sounds = Folder(Path(output), f".{format}") if to_folder else OneFile(output, concat)
    checkpoint = find_checkpoint(model)
    vocoder = Vocoder.load(model, expressive=units == "expressive", device=device)
    # Looked up first: a voice that isn't there is nothing that a line could be blamed for.
    voice = vocoder.find_speaker(speaker)
    vocoder.find_style(style)
    with ExitStack() as stack:
        failures = stack.enter_context(Failures(on_error, errors))
        texts = stack.enter_context(LineWriter(text_out)) if text_out else None
        stack.enter_context(sounds)
        for line, _ in failures.each(
            read_input(files or ["-"], checkpoint),
            lambda line: sounds.write(
                vocoder.decode(line.sequence, speaker=voice, style=style, durations=durations), line.name
            ),
        ):
            text = "" if isinstance(line.content, TokenError) else " ".join(line.content.text.split())
            if texts:
                texts.write_value(line.id, text)
            elif text:
                options.tell(one_line(text if line.id is None else f"{line.id}: {text}"))
