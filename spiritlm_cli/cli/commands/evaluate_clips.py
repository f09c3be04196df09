"""`spiritlm evaluate asr` and `tts`: the benchmarks over clips."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import evaluate
from spiritlm_cli.jobs.options.evaluate_clips import AsrOptions, TtsOptions


@command(AsrOptions)
def asr(options: AsrOptions) -> object:
    """Error rates of the language model's transcripts.

    The language model continues the units of each clip with text.

    \b
    Example:
      spiritlm evaluate asr --manifest clips.tsv --limit 40
    """
    return evaluate(options)


@command(TtsOptions)
def tts(options: TtsOptions) -> object:
    """Error rates of the language model's speech.

    The language model continues the text of each clip with speech, which a recognizer transcribes.

    \b
    Example:
      spiritlm evaluate tts --manifest clips.tsv --limit 40
    """
    return evaluate(options)
