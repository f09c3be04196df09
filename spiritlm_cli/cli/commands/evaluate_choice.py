"""`spiritlm evaluate mmlu`, `choice` and `perplexity`: likelihoods of answers and of text and speech."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import evaluate
from spiritlm_cli.jobs.options.evaluate_choice import ChoiceOptions, MmluOptions
from spiritlm_cli.jobs.options.evaluate_perplexity import PerplexityOptions


@command(MmluOptions)
def mmlu(options: MmluOptions) -> object:
    """Multiple-choice questions about 57 subjects (MMLU).

    Five examples and the question are the prompt; the answer is the likeliest letter.

    \b
    Examples:
      spiritlm evaluate mmlu data/
      spiritlm evaluate mmlu data/ --subject anatomy --shots 0
    """
    return evaluate(options)


@command(ChoiceOptions)
def choice(options: ChoiceOptions) -> object:
    """How often the right one of several choices is the likeliest.

    Each line is an object, such as {"prompt": "The cat", "choices": [" sat.", " sky."], "answer": 0}; id and group are
    optional. A prompt or a choice is text, {"audio": "a.wav"}, {"tokens": "[SPEECH][Hu1]"}, or a list of these. The
    forms of a question in text and in speech have the same id, and give the gap between both.

    \b
    Example:
      spiritlm evaluate choice text.jsonl speech.jsonl
    """
    return evaluate(options)


@command(PerplexityOptions)
def perplexity(options: PerplexityOptions) -> object:
    """How well the language model predicts token lines, text or speech.

    Perplexity of tokens, and bits per byte and word of text and per second of speech.

    \b
    Examples:
      spiritlm evaluate perplexity dev.tokens
      spiritlm evaluate perplexity --text wiki.txt
      spiritlm evaluate perplexity --manifest clips.tsv
    """
    return evaluate(options)
