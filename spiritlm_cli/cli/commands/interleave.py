"""`spiritlm interleave`: audio and its words to sequences that switch between speech and text."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.jobs.options import InterleaveOptions


@command(InterleaveOptions)
def interleave(options: InterleaveOptions) -> object:
    """Make training sequences that switch between speech and text at word boundaries.

    Word times come from --alignments or from the manifest; for clips with text and no word times, an aligner finds
    them.

    \b
    Examples:
      spiritlm interleave --manifest clips.tsv --seed 1 -o lines.txt
      spiritlm interleave --manifest clips.tsv --copies 4 --text-words 2:6 --speech-words 2:6
      spiritlm interleave corpus/ --alignments textgrids/ --explain
      spiritlm interleave --tokens units.txt --alignments aligned.jsonl --mode asr
    """
    with importing():
        from spiritlm_cli.jobs.interleave import run

    return run(options)
