"""`spiritlm evaluate storycloze`, `topic-storycloze` and `salmon`: benchmarks that compare recordings."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import evaluate
from spiritlm_cli.jobs.options.evaluate_pairs import SalmonOptions, StoryclozeOptions, TopicStoryclozeOptions


@command(StoryclozeOptions)
def storycloze(options: StoryclozeOptions) -> object:
    """How often the right ending of a story is more likely than a wrong one, in speech and text.

    \b
    Examples:
      spiritlm evaluate storycloze sSC/
      spiritlm evaluate storycloze cloze_test_val.csv
    """
    return evaluate(options)


@command(TopicStoryclozeOptions)
def topic_storycloze(options: TopicStoryclozeOptions) -> object:
    """How often the right ending of a story is more likely than that of another story, in speech and text.

    \b
    Examples:
      spiritlm evaluate topic-storycloze tSC/
      spiritlm evaluate topic-storycloze cross_ms_tSC/ --normalize whole
    """
    return evaluate(options)


@command(SalmonOptions)
def salmon(options: SalmonOptions) -> object:
    """How often a recording is more likely than one in which voice, mood, room or background changes (SALMon).

    \b
    Example:
      spiritlm evaluate salmon salmon_benchmark/
    """
    return evaluate(options)
