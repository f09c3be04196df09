"""Word and character error rates, of one item and of a corpus."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spiritlm_cli.english.normalize import normalize
from spiritlm_cli.errors import MissingPackageError


@dataclass(frozen=True)
class ErrorCount:
    """The fewest edits from reference to hypothesis, and the reference's length, in words or characters."""

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors over length; can be above 1. An empty reference counts as one long."""
        return self.errors / max(self.length, 1)


@dataclass(frozen=True)
class ErrorRate:
    """A corpus's error rate with its 95 % bootstrap interval; all three are fractions, not percent."""

    rate: float
    low: float
    high: float
    errors: int
    length: int
    items: int


def word_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Words of the two texts compared after `normalize`. Raises MissingPackageError without jiwer."""
    return _count(normalize(reference), normalize(hypothesis), "words")


def character_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Characters of the two texts, spaces between words among them, compared after `normalize`.

    Raises MissingPackageError without jiwer.
    """
    return _count(normalize(reference), normalize(hypothesis), "characters")


def error_rate(counts: Iterable[ErrorCount], seed: int = 0, resamples: int = 1000) -> ErrorRate:
    """The corpus's rate: errors summed over lengths summed, so long items weigh more than short ones.

    The interval is the percentile bootstrap over items: the 2.5th and 97.5th percentile of the rates of
    `resamples` corpora of as many items, drawn with replacement (Bisani and Ney 2004, "Bootstrap estimates
    for confidence intervals in ASR performance evaluation"). Raises ValueError where there is nothing to
    compare with.
    """
    counts = list(counts)
    errors = np.array([count.errors for count in counts], dtype=np.int64)
    lengths = np.array([count.length for count in counts], dtype=np.int64)
    if lengths.sum() == 0:
        raise ValueError("an error rate needs at least one item with a reference that is not empty")
    generator = np.random.default_rng(seed)
    rates = np.empty(resamples)
    for index in range(resamples):
        drawn = generator.integers(len(counts), size=len(counts))
        rates[index] = errors[drawn].sum() / max(lengths[drawn].sum(), 1)
    low, high = np.percentile(rates, [2.5, 97.5])
    return ErrorRate(
        rate=float(errors.sum() / lengths.sum()),
        low=float(low),
        high=float(high),
        errors=int(errors.sum()),
        length=int(lengths.sum()),
        items=len(counts),
    )


def wer(references: Sequence[str], hypotheses: Sequence[str], seed: int = 0) -> ErrorRate:
    """Word error rate of a corpus. Raises ValueError where the lists' lengths differ, and as `error_rate`."""
    return error_rate(map(word_errors, *_paired(references, hypotheses)), seed)


def cer(references: Sequence[str], hypotheses: Sequence[str], seed: int = 0) -> ErrorRate:
    """Character error rate of a corpus. Raises ValueError as `wer`."""
    return error_rate(map(character_errors, *_paired(references, hypotheses)), seed)


def _paired(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references and {len(hypotheses)} hypotheses")
    return references, hypotheses


def _count(reference: str, hypothesis: str, unit: str) -> ErrorCount:
    try:
        import jiwer
    except ModuleNotFoundError as error:
        raise MissingPackageError("error rates need jiwer: pip install 'spiritlm[evaluate]'") from error
    process = jiwer.process_words if unit == "words" else jiwer.process_characters
    result = process(reference, hypothesis)
    return ErrorCount(
        substitutions=result.substitutions,
        deletions=result.deletions,
        insertions=result.insertions,
        length=result.hits + result.substitutions + result.deletions,
    )
