"""`spiritlm evaluate resynthesis`, `asr` and `tts`: the benchmarks over clips."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import print_report
from spiritlm_cli.jobs.options.evaluate import AsrOptions, ResynthesisOptions, TtsOptions


def _run(options: ResynthesisOptions | AsrOptions | TtsOptions) -> object:
    from spiritlm_cli.jobs.evaluate import run

    evaluation = run(options)
    if evaluation.report:
        print_report(evaluation.report, options.as_json)
    return evaluation


@command(ResynthesisOptions)
def resynthesis(options: ResynthesisOptions) -> object:
    """Error rates of speech after tokenizing and decoding.

    Word and character error rates of a recognizer, beside those of the original clips.

    \b
    Example:
      spiritlm evaluate resynthesis --manifest clips.tsv --limit 40
    """
    return _run(options)


@command(AsrOptions)
def asr(options: AsrOptions) -> object:
    """Error rates of the language model's transcripts.

    The language model continues the units of each clip with text.

    \b
    Example:
      spiritlm evaluate asr --manifest clips.tsv --limit 40
    """
    return _run(options)


@command(TtsOptions)
def tts(options: TtsOptions) -> object:
    """Error rates of the language model's speech.

    The language model continues the text of each clip with speech, which a recognizer transcribes.

    \b
    Example:
      spiritlm evaluate tts --manifest clips.tsv --limit 40
    """
    return _run(options)
