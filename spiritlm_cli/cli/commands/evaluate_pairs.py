"""`spiritlm evaluate pairs`, `wuggy`, `blimp` and `prosaudit`: tasks that compare likelihoods."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import evaluate
from spiritlm_cli.jobs.options.evaluate_pairs import (
    BlimpOptions,
    PairsOptions,
    ProsauditOptions,
    WuggyOptions,
)


@command(PairsOptions)
def pairs(options: PairsOptions) -> object:
    """How often the good one of two sequences is more likely.

    \b
    Example:
      spiritlm evaluate pairs pairs.tsv --items items.jsonl
    """
    return evaluate(options)


@command(WuggyOptions)
def wuggy(options: WuggyOptions) -> object:
    """How often a word is more likely than a non-word (sWUGGY).

    \b
    Examples:
      spiritlm evaluate wuggy zerospeech2021/
      spiritlm evaluate wuggy zerospeech2021/lexical/dev --text
      spiritlm evaluate wuggy zerospeech2021/ --submission submission/
    """
    return evaluate(options)


@command(BlimpOptions)
def blimp(options: BlimpOptions) -> object:
    """How often the grammatical sentence is more likely (BLiMP).

    \b
    Examples:
      spiritlm evaluate blimp zerospeech2021/
      spiritlm evaluate blimp blimp/data/
      spiritlm evaluate blimp zerospeech2021/ --submission submission/
    """
    return evaluate(options)


@command(ProsauditOptions)
def prosaudit(options: ProsauditOptions) -> object:
    """How often speech with pauses at natural places is more likely (ProsAudit).

    \b
    Example:
      spiritlm evaluate prosaudit prosaudit/ --submission submission/
    """
    return evaluate(options)
