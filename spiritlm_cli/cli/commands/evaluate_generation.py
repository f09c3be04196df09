"""`spiritlm evaluate asr`, `tts` and `intent`: the benchmarks that the language model answers."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import evaluate
from spiritlm_cli.jobs.options.evaluate_generation import AsrOptions, IntentOptions, TtsOptions


@command(AsrOptions)
def asr(options: AsrOptions) -> object:
    """Error rates of the language model's transcripts.

    The language model continues the units of each clip with text, after solved examples if --examples gives some.

    \b
    Examples:
      spiritlm evaluate asr LibriSpeech/test-clean --examples LibriSpeech/dev-clean
      spiritlm evaluate asr --manifest clips.tsv --limit 40
      spiritlm evaluate asr --manifest clips.tsv --hypotheses transcripts.tsv
    """
    return evaluate(options)


@command(TtsOptions)
def tts(options: TtsOptions) -> object:
    """Error rates of the language model's speech.

    The language model continues the text of each clip with speech, which a recognizer transcribes.

    \b
    Examples:
      spiritlm evaluate tts LibriSpeech/test-clean --examples LibriSpeech/dev-clean --asr large-v3
      spiritlm evaluate tts --manifest clips.tsv --limit 40
      spiritlm evaluate tts --manifest clips.tsv --hypotheses speech/
    """
    return evaluate(options)


@command(IntentOptions)
def intent(options: IntentOptions) -> object:
    """Intents of spoken commands (Fluent Speech Commands).

    The language model answers each command with its label, after 30 examples of the training split.

    \b
    Examples:
      spiritlm evaluate intent fluent_speech_commands_dataset/
      spiritlm evaluate intent fluent_speech_commands_dataset/ --likelihood --balanced
    """
    return evaluate(options)
