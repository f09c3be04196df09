"""`spiritlm decode`: token lines to audio."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.jobs.options import DecodeOptions


@command(DecodeOptions)
def decode(options: DecodeOptions) -> object:
    """Turn token lines into audio.

    \b
    Examples:
      spiritlm tokenize in.wav | spiritlm decode -o out.wav
      spiritlm tokenize --ids folder/ | spiritlm decode -o sounds/ --format flac --speaker 1
      spiritlm tokenize in.wav | spiritlm generate --echo | spiritlm decode --from continuation -o out.wav
      echo '[TEXT]Once upon a time' | spiritlm generate --to speech --stream | spiritlm decode -o - > out.wav
    """
    if options.lists_voices:
        from spiritlm_cli.vocoder.voices import Voices

        print(Voices.of_checkpoint(options.checkpoint, options.expressive).describe())
        return None
    with importing():
        from spiritlm_cli.jobs.decode import run

    return run(options)
