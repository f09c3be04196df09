"""`spiritlm evaluate TASK`: the group of the benchmarks."""

import typer

from spiritlm_cli.cli import general
from spiritlm_cli.cli.commands.evaluate_analysis import similarity, toxicity
from spiritlm_cli.cli.commands.evaluate_choice import choice, mmlu, perplexity
from spiritlm_cli.cli.commands.evaluate_continuations import continuation, stsp
from spiritlm_cli.cli.commands.evaluate_generation import asr, intent, tts
from spiritlm_cli.cli.commands.evaluate_pairs import blimp, pairs, prosaudit, wuggy
from spiritlm_cli.cli.commands.evaluate_report import report
from spiritlm_cli.cli.commands.evaluate_speech import abx, resynthesis, units
from spiritlm_cli.cli.commands.evaluate_stories import salmon, storycloze, topic_storycloze

evaluate = typer.Typer(name="evaluate", cls=general.Group, no_args_is_help=True, rich_markup_mode=None)


@evaluate.callback()
def about() -> None:
    """Evaluate a model on a benchmark; the result goes to stdout.

    \b
    Examples:
      spiritlm evaluate resynthesis --manifest clips.tsv
      spiritlm evaluate asr --manifest clips.tsv --limit 20 --json
      spiritlm evaluate tts --manifest clips.tsv --asr large-v3 --items items.jsonl
      spiritlm evaluate wuggy zerospeech2021/
      spiritlm evaluate report wuggy.jsonl asr.jsonl > card.md
    """


for _task in (
    resynthesis,
    units,
    abx,
    asr,
    tts,
    intent,
    pairs,
    wuggy,
    blimp,
    prosaudit,
    storycloze,
    topic_storycloze,
    salmon,
    mmlu,
    choice,
    perplexity,
    similarity,
    toxicity,
    stsp,
    continuation,
    report,
):
    evaluate.command(cls=general.Command)(_task)
