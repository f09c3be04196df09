"""`spiritlm evaluate stsp` and `continuation`: the tasks whose continuations other models judge."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import evaluate
from spiritlm_cli.jobs.options.evaluate_continuation import ContinuationOptions
from spiritlm_cli.jobs.options.evaluate_stsp import StspOptions


@command(StspOptions)
def stsp(options: StspOptions) -> object:
    """Whether continuations keep the sentiment of a text or a clip.

    Speech-text sentiment preservation: the language model continues texts and clips with text and with speech, and
    classifiers of text and of speech compare the sentiment of the continuation with that of the input.

    \b
    Examples:
      spiritlm evaluate stsp stsp/ --text-classifier sentiment/ --speech-classifier stsp/model/speech_classifier
      spiritlm evaluate stsp stsp/ --direction TT --direction ST --text-classifier sentiment/ --shots 3
      spiritlm evaluate stsp ref.jsonl --score-only pred.jsonl --label emotion
    """
    return evaluate(options)


@command(ContinuationOptions)
def continuation(options: ContinuationOptions) -> object:
    """Perplexity and diversity of generated speech.

    The language model continues the first seconds of clips with speech. A recognizer transcribes it, a language model
    of text gives its perplexity, and self-BLEU, auto-BLEU and VERT say how much it repeats.

    \b
    Examples:
      spiritlm evaluate continuation LibriSpeech/test-clean --text-lm gpt2/ --temperatures 0.3,0.5,0.8,1.1
      spiritlm evaluate continuation sSC/ --form slamkit --text-lm Llama-3.2-1B/ --asr large-v3-turbo --tokens nltk
    """
    return evaluate(options)
