"""`spiritlm generate`: token lines to their continuations, or to their log-likelihoods."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.jobs.options import GenerateOptions


@command(GenerateOptions)
def generate(options: GenerateOptions) -> object:
    """Continue token lines.

    \b
    Examples:
      spiritlm tokenize in.wav | spiritlm generate --to text
      spiritlm generate --prompt '[TEXT]The old man walked to the sea.' --to speech --seed 1
      spiritlm generate --prompt '[TEXT]Once upon a time' --to speech --stream | spiritlm decode -o - > out.wav
      spiritlm tokenize in.wav | spiritlm generate --task asr --shots 0
      spiritlm tokenize in.wav | spiritlm generate --score
    """
    with importing():
        if options.score:
            from spiritlm_cli.jobs.score import run
        else:
            from spiritlm_cli.jobs.generate import run

    return run(options)
