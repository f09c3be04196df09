"""Word and character error rates, accuracies, and their bootstrap confidence intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spiritlm_cli.english.normalizers import NormalizerName, load_normalizer
from spiritlm_cli.third_party import needs_extra

RESAMPLES = 1000
_PERCENTILES = (2.5, 97.5)  # of a 95 % interval


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


@dataclass(frozen=True)
class ErrorRate:
    """Error rate of a corpus with its 95 % bootstrap interval from `low` to `high`, as fractions."""

    rate: float
    low: float
    high: float
    errors: int
    length: int
    items: int

    @property
    def percent(self) -> str:
        """The rate and its interval in percent, such as `5.0 [3.1–8.2]`."""
        return _percent(self.rate, self.low, self.high)


@dataclass(frozen=True)
class Accuracy:
    """Mean accuracy of items with its 95 % bootstrap interval from `low` to `high`, as fractions."""

    accuracy: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float], seed: int = 0, resamples: int = RESAMPLES) -> "Accuracy":
        """Compute the mean of the items' values, and the percentile bootstrap over items as in `error_rate`.

        Raises ValueError if there are no values.
        """
        distinct, counts = np.unique(np.fromiter(values, dtype=np.float64), return_counts=True)
        total = int(counts.sum())
        if not total:
            raise ValueError("an accuracy needs at least one pair")
        # Draw how often each distinct value occurs in a resample, which is the same as drawing its items.
        draws = np.random.default_rng(seed).multinomial(total, counts / total, size=resamples)
        low, high = np.percentile(draws @ distinct / total, _PERCENTILES)
        return cls(float(counts @ distinct / total), float(low), float(high))

    @property
    def percent(self) -> str:
        """The accuracy and its interval in percent, such as `69.0 [65.2–72.8]`."""
        return _percent(self.accuracy, self.low, self.high)


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


def error_rate(counts: Iterable[ErrorCount], seed: int = 0, resamples: int = RESAMPLES) -> ErrorRate:
    """Compute a corpus's error rate: the sum of errors divided by the sum of reference lengths.

    The interval is the percentile bootstrap over items: the 2.5th and 97.5th percentile of the rates of `resamples`
    corpora of the same number of items, drawn with replacement (Bisani and Ney 2004, "Bootstrap estimates for
    confidence intervals in ASR performance evaluation"). Raises ValueError if all references are empty.
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
    low, high = np.percentile(rates, _PERCENTILES)
    return ErrorRate(
        rate=float(errors.sum() / lengths.sum()),
        low=float(low),
        high=float(high),
        errors=int(errors.sum()),
        length=int(lengths.sum()),
        items=len(counts),
    )


def wer(
    references: Sequence[str],
    hypotheses: Sequence[str],
    seed: int = 0,
    normalizer: NormalizerName = "spoken",
) -> ErrorRate:
    """Compute the word error rate of a corpus.

    Raises ValueError if the numbers of references and hypotheses differ, or as `error_rate`.
    """
    pairs = _pairs(references, hypotheses)
    return error_rate((word_errors(*pair, normalizer) for pair in pairs), seed)


def cer(
    references: Sequence[str],
    hypotheses: Sequence[str],
    seed: int = 0,
    normalizer: NormalizerName = "spoken",
) -> ErrorRate:
    """Compute the character error rate of a corpus. Raises ValueError as `wer`."""
    pairs = _pairs(references, hypotheses)
    return error_rate((character_errors(*pair, normalizer) for pair in pairs), seed)


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


def _percent(value: float, low: float, high: float) -> str:
    return f"{100 * value:.1f} [{100 * low:.1f}–{100 * high:.1f}]"
