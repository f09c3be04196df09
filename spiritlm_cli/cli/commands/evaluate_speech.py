"""`spiritlm evaluate resynthesis`, `units` and `abx`: the benchmarks of the tokenizer and the vocoder."""

from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.report import evaluate
from spiritlm_cli.jobs.options.evaluate_resynthesis import ResynthesisOptions
from spiritlm_cli.jobs.options.evaluate_units import AbxOptions, UnitsOptions


@command(ResynthesisOptions)
def resynthesis(options: ResynthesisOptions) -> object:
    """Measure speech after tokenizing and decoding.

    Word and character error rates of a recognizer, F0 errors, bits a second and, with judges, quality, speaker
    similarity and style. With --hypotheses, any other resynthesis of the recordings.

    \b
    Examples:
      spiritlm evaluate resynthesis LibriSpeech/dev-other --limit 40
      spiritlm evaluate resynthesis --manifest clips.tsv --dnsmos --save-audio resynthesis/
      spiritlm evaluate resynthesis LibriSpeech/dev-other --hypotheses other-codec/ --f0 pyaapt
    """
    return evaluate(options)


@command(UnitsOptions)
def units(options: UnitsOptions) -> object:
    """Measure the units of a tokenizer.

    Their agreement with phones (purity, PNMI), the use of the codebook, bits a second, and how much they change when
    the speech is stretched, shifted in pitch, reverberant or noisy, or of another speaker.

    \b
    Examples:
      spiritlm evaluate units LibriSpeech/dev-clean --limit 100
      spiritlm evaluate units recordings/ --alignments aligned/ --augmentations pitch,noise
    """
    return evaluate(options)


@command(AbxOptions)
def abx(options: AbxOptions) -> object:
    """How often a phone is closer to a different one (ABX).

    On item files of libri-light and ZeroSpeech 2021: of units, of HuBERT features, or of features in files.

    \b
    Examples:
      spiritlm evaluate abx dev-clean.item --audio LibriSpeech/dev-clean
      spiritlm evaluate abx dev-clean.item --audio LibriSpeech/dev-clean --layer 6 --max-x all
      spiritlm evaluate abx dev-clean.item --features features/ --rate 50 --mode within
    """
    return evaluate(options)
