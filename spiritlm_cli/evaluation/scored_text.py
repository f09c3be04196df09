"""Texts scored against references: of one clip, and the error rates over all."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Any

from spiritlm_cli.english.normalizers import NormalizerName, load_normalizer
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.metrics import ErrorCount, character_errors, error_rate, word_errors
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.result import EvaluationResult, Metric, Published, ResultRow
from spiritlm_cli.manifests.clip import Clip

METRICS = (Metric("wer", "WER"), Metric("cer", "CER"))
_UNITS = {"wer": "words", "cer": "characters"}


@dataclass(frozen=True)
class ScoredText:
    """A transcript, and its word and character errors against a reference."""

    text: str
    words: ErrorCount
    characters: ErrorCount

    @classmethod
    def score(cls, reference: str, text: str, normalizer: NormalizerName = "spoken") -> "ScoredText":
        """Score a text against a reference. Raises MissingPackageError as `word_errors`."""
        return cls(
            text,
            word_errors(reference, text, normalizer),
            character_errors(reference, text, normalizer),
        )

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`; rates are fractions."""
        return {
            "text": self.text,
            "wer": self.words.rate,
            "cer": self.characters.rate,
            "words": asdict(self.words),
            "characters": asdict(self.characters),
        }


def text_row(name: str, records: Sequence[Record], published: tuple[Published, ...] = ()) -> ResultRow:
    """Compute error rates over records of `ScoredText.to_json`."""
    values = {
        metric: error_rate(ErrorCount(**record[unit]) for record in records)
        for metric, unit in _UNITS.items()
    }
    return ResultRow(name, len(records), values, published=published)


def text_result(
    description: RunDescription, records: Sequence[Record], rows: tuple[ResultRow, ...]
) -> EvaluationResult:
    """The result of a task over clips. rows: of `text_row`."""
    seconds = sum(record["seconds"] for record in records)
    return EvaluationResult(description, len(records), METRICS, rows, counts={"seconds": seconds})


def reference_text(clip: Clip, normalizer: NormalizerName = "spoken") -> str:
    """Return the clip's text. Raises ManifestError if it has none, or none that contains a word."""
    # A table's empty cell is a missing field.
    if not (clip.text and clip.text.strip()):
        raise ManifestError(
            f"{clip.id}: its text is empty or missing, so there is nothing to score against; give it in the field text"
        )
    if not any(map(str.isalnum, load_normalizer(normalizer)(clip.text))):
        shown = shorten(clip.text, 60, placeholder="...")
        raise ManifestError(f"{clip.id}: nothing is left of its text {shown!r} after normalization")
    return clip.text
