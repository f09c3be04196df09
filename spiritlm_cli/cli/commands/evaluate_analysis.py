"""`spiritlm evaluate similarity` and `toxicity`."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import evaluate
from spiritlm_cli.jobs.options.evaluate_similarity import SimilarityOptions
from spiritlm_cli.jobs.options.evaluate_toxicity import ToxicityOptions


@command(SimilarityOptions)
def similarity(options: SimilarityOptions) -> object:
    """Similarity of spoken and written words, layer by layer.

    The text and the speech of each clip are read apart. At each layer, the hidden states of a written word are compared
    with those of the same spoken word, and as a control with those of the other words of its sentence.

    \b
    Examples:
      spiritlm evaluate similarity clips.tsv --plot layers.png
      spiritlm evaluate similarity LibriSpeech/dev-clean --alignments textgrids/ --items base.jsonl
      spiritlm evaluate similarity clips.tsv --limit 1 --matrix sentence.png --matrix-layer 4
      spiritlm evaluate similarity clips.tsv --model step2000/ --plot both.png --compare step1000.jsonl
    """
    return evaluate(options)


@command(ToxicityOptions)
def toxicity(options: ToxicityOptions) -> object:
    """How often a continuation is more toxic than its prompt.

    \b
    Examples:
      spiritlm evaluate toxicity sentences.csv --words eng_twl.txt
      spiritlm evaluate toxicity sentences.csv --text-classifier toxic-bert/ --items toxicity.jsonl
      spiritlm evaluate toxicity spoken.tsv --speech --words eng_twl.txt --save-audio continuations/
    """
    return evaluate(options)
