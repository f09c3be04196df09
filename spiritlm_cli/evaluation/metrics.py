"""Word and character errors, and their rates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spiritlm_cli.english.normalizers import NormalizerName, load_normalizer
from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.third_party import needs_extra


@dataclass(frozen=True)
class ErrorCount:
    """The fewest edits that turn a reference into a hypothesis, and the reference's length, in words or characters."""

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def errors(self) -> int:
        """Number of edits."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors divided by length, as a fraction; may exceed 1. The length of an empty reference counts as 1."""
        return self.errors / max(self.length, 1)


def word_errors(reference: str, hypothesis: str, normalizer: NormalizerName = "spoken") -> ErrorCount:
    """Count word edits between two texts in a normal form of `load_normalizer`.

    Raises MissingPackageError without jiwer, or without the normalizer's package.
    """
    normalize = load_normalizer(normalizer)
    return _count(normalize(reference), normalize(hypothesis), "words")


def character_errors(reference: str, hypothesis: str, normalizer: NormalizerName = "spoken") -> ErrorCount:
    """Count character edits, spaces included, between two texts in a normal form. Raises as `word_errors`."""
    normalize = load_normalizer(normalizer)
    return _count(normalize(reference), normalize(hypothesis), "characters")


def error_rate(counts: Iterable[ErrorCount]) -> Estimate:
    """Compute a corpus's error rate: the sum of errors divided by the sum of reference lengths.

    Raises ValueError if all references are empty.
    """
    counts = list(counts)
    return Estimate.of_ratio((count.errors for count in counts), (count.length for count in counts))


def wer(
    references: Sequence[str], hypotheses: Sequence[str], normalizer: NormalizerName = "spoken"
) -> Estimate:
    """Compute the word error rate of a corpus.

    Raises ValueError if the numbers of references and hypotheses differ, or as `error_rate`.
    """
    pairs = _pairs(references, hypotheses)
    return error_rate(word_errors(*pair, normalizer) for pair in pairs)


def cer(
    references: Sequence[str], hypotheses: Sequence[str], normalizer: NormalizerName = "spoken"
) -> Estimate:
    """Compute the character error rate of a corpus. Raises ValueError as `wer`."""
    pairs = _pairs(references, hypotheses)
    return error_rate(character_errors(*pair, normalizer) for pair in pairs)


def _pairs(references: Sequence[str], hypotheses: Sequence[str]) -> list[tuple[str, str]]:
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references and {len(hypotheses)} hypotheses")
    return list(zip(references, hypotheses, strict=True))


def _count(reference: str, hypothesis: str, unit: str) -> ErrorCount:
    with needs_extra("jiwer", extra="evaluate", purpose="error rates"):
        import jiwer
    process = jiwer.process_words if unit == "words" else jiwer.process_characters
    result = process(reference, hypothesis)
    return ErrorCount(
        substitutions=result.substitutions,
        deletions=result.deletions,
        insertions=result.insertions,
        length=result.hits + result.substitutions + result.deletions,
    )
