"""`spiritlm tokenize`: audio to token lines."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.jobs.options import TokenizeOptions


@command(TokenizeOptions)
def tokenize(options: TokenizeOptions) -> object:
    """Turn audio into token lines.

    \b
    Examples:
      spiritlm tokenize in.wav
      spiritlm tokenize --ids one.flac two.mp3 folder/ > tokens.txt
      spiritlm tokenize --manifest clips.tsv --on-error skip --errors bad.tsv -o tokens.txt
      find . -name '*.wav' -print0 | spiritlm tokenize --files-from - -0 -o tokens.txt --resume
      cat in.wav | spiritlm tokenize --units base -
    """
    with importing():
        from spiritlm_cli.jobs.tokenize import run

    return run(options)
