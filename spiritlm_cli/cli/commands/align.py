"""`spiritlm align`: audio and its text to word times."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.jobs.options import AlignOptions


@command(AlignOptions)
def align(options: AlignOptions) -> object:
    """Find when each word is spoken.

    The text of x.wav is in a manifest, or in x.txt or x.lab beside it. The default aligner, pocketsphinx, is for US
    English and needs no download. JSON lines are a manifest, which `interleave` reads.

    \b
    Examples:
      spiritlm align in.wav --text 'The old man walked to the sea.' -o in.TextGrid
      spiritlm align --manifest clips.tsv -o aligned.jsonl
      spiritlm align corpus/ -o textgrids/ --on-error skip --errors bad.tsv
    """
    with importing():
        from spiritlm_cli.jobs.align import run

    return run(options)
