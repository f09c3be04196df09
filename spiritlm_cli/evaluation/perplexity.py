"""`perplexity`: how well a language model predicts tokens, by modality and kind of unit.

Comparable between tokenizers are the bits of a byte or a word of text, and those of a second of speech.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, ResultRow
from spiritlm_cli.language.scoring import ScoredIds
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.tokens.units import Kind

_METRICS = (
    Metric("perplexity", "perplexity", percent=False, digits=2),
    Metric("bits_per_byte", "bits/byte", percent=False, digits=3),
    Metric("bits_per_word", "bits/word", percent=False, digits=2),
    Metric("bits_per_second", "bits/second", percent=False, digits=1),
)
_NOTES = (
    "perplexity: of a token, over all tokens. bits/byte and bits/word: of text in UTF-8; bits/second: of the speech of "
    "audio files. Start tokens and markers are not counted.",
)
_TEXT = "text"
_UNITS = {Kind.HUBERT: "phonetic (Hu)", Kind.PITCH: "pitch (Pi)", Kind.STYLE: "style (St)"}


@dataclass(frozen=True)
class Tally:
    """Log-likelihood of tokens of one kind, a natural logarithm, and their number."""

    log_likelihood: float
    tokens: int


def windows(ids: TypingSequence[int], vocabulary: Vocabulary, context_length: int) -> Iterator[ScoredIds]:
    """Divide the ids of a sequence into windows that together score each of them once.

    ids: with the start token. A window but the first begins with up to half a context of ids that are not scored, after
    the start token and their marker; so each id is predicted from at least that many, less these two.
    """
    end = min(len(ids), context_length)
    yield ScoredIds(list(ids[:end]), max(1, vocabulary.start_length))
    while end < len(ids):
        start, end = end, min(len(ids), end + context_length // 2)
        kept = vocabulary.truncate_left(ids[:end], context_length)
        yield ScoredIds(kept, len(kept) - (end - start))


def tally(
    scored: Iterable[tuple[TypingSequence[int], TypingSequence[float]]], vocabulary: Vocabulary
) -> dict[str, Tally]:
    """Sum log-probabilities by kind: `text`, `Hu`, `Pi` or `St`. Markers and special tokens are left out.

    scored: ids and the log-probability of each, in parts.
    """
    values: dict[str, list[float]] = {}
    for ids, log_probabilities in scored:
        for token, value in zip(ids, log_probabilities, strict=True):
            if modality := vocabulary.modality(token):
                kind = _TEXT if modality == "text" else vocabulary.unit(token).kind.value
                values.setdefault(kind, []).append(value)
    return {kind: Tally(math.fsum(parts), len(parts)) for kind, parts in values.items()}


def perplexity_record(sequence: Sequence, tallies: dict[str, Tally], seconds: float | None = None) -> Record:
    """Make the record of a line or clip. seconds: of its speech, if they are known."""
    texts = [span.text for span in sequence.spans if isinstance(span, TextSpan)]
    return {
        "tokens": {kind: one.tokens for kind, one in tallies.items()},
        "log_likelihood": {kind: one.log_likelihood for kind, one in tallies.items()},
        "bytes": sum(len(text.encode()) for text in texts),
        "words": sum(len(text.split()) for text in texts),
        "seconds": seconds,
    }


def result(description: RunDescription, records: TypingSequence[Record]) -> EvaluationResult:
    """Compute metrics over all lines: of all tokens, of text and of speech, and of each kind of unit.

    records: of `perplexity_record`, one at least.
    """
    found = {kind for record in records for kind in record["tokens"]}
    units = [kind.value for kind in _UNITS if kind.value in found]
    rows = [_row("all tokens", None, records, [_TEXT, *units])]
    if units and _TEXT in found:
        rows += [_row("text", "modality", records, [_TEXT]), _row("speech", "modality", records, units)]
    if len(units) > 1:
        rows += [_row(_UNITS[Kind(kind)], "units", records, [kind]) for kind in units]
    total: Counter[str] = Counter()
    for record in records:
        total.update(record["tokens"])
    return EvaluationResult(
        description, len(records), _METRICS, tuple(rows), _NOTES, {"tokens": sum(total.values())}
    )


def _row(name: str, kind: str | None, records: TypingSequence[Record], kinds: list[str]) -> ResultRow:
    used = [record for record in records if any(one in record["tokens"] for one in kinds)]
    nats = -_array(sum(record["log_likelihood"].get(one, 0.0) for one in kinds) for record in used)
    counts = _array(sum(record["tokens"].get(one, 0) for one in kinds) for record in used)
    values = {"perplexity": _estimate(nats, counts, exponential=True)}
    is_text = any(_TEXT in record["tokens"] for record in used) and _TEXT in kinds
    is_speech = any(one in record["tokens"] for record in used for one in kinds if one != _TEXT)
    if is_text and not is_speech:
        for metric, field in (("bits_per_byte", "bytes"), ("bits_per_word", "words")):
            values[metric] = _estimate(nats / math.log(2), _array(record[field] for record in used))
    if is_speech and not is_text and all(record["seconds"] for record in used):
        seconds = _array(record["seconds"] for record in used)
        values["bits_per_second"] = _estimate(nats / math.log(2), seconds)
    return ResultRow(name, len(used), values, kind)


def _array(values: Iterable[float]) -> NDArray[np.float64]:
    return np.fromiter(values, dtype=np.float64)


def _estimate(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64], exponential: bool = False
) -> Estimate:
    """The ratio of sums, or its exponential; NaN for a resample with nothing to divide by."""

    def ratio(drawn: NDArray[np.int64]) -> float:
        below = denominators[drawn].sum()
        value = numerators[drawn].sum() / below if below else np.nan
        return float(np.exp(value) if exponential else value)

    return Estimate.of(ratio, len(numerators))
