"""Results of the benchmarks over clips: the scored text of one clip, and the report over all, as JSON or a table."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.table import Table

from spiritlm_cli.console import escape_markup
from spiritlm_cli.english.normalizers import NormalizerName, describe_normalizer, load_normalizer
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.metrics import ErrorCount, ErrorRate, character_errors, error_rate, word_errors
from spiritlm_cli.manifests.clip import Clip


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


@dataclass(frozen=True)
class GenerationItem:
    """Result for one clip of a benchmark in which the language model generates.

    seconds: length of the speech, read (`asr`) or generated (`tts`); tokens: number of generated tokens;
    finished: whether generation ended by itself, not at the maximum length.
    """

    id: str
    reference: str
    seconds: float
    tokens: int
    finished: bool
    transcript: ScoredText

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return {
            "id": self.id,
            "reference": self.reference,
            "seconds": self.seconds,
            "tokens": self.tokens,
            "finished": self.finished,
            **self.transcript.to_json(),
        }


@dataclass(frozen=True)
class Published:
    """A result of the paper in percent, measured on other data: for comparison, not to be reproduced."""

    what: str
    metric: Literal["WER", "CER"]
    percent: float


@dataclass(frozen=True)
class Row:
    """Error rates of one kind of transcript over all clips."""

    name: str
    wer: ErrorRate
    cer: ErrorRate
    published: tuple[Published, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        texts: Iterable[ScoredText],
        published: tuple[Published, ...] = (),
        seed: int = 0,
    ) -> "Row":
        """Compute the error rates of scored texts. seed: of the bootstrap. Raises ManifestError if there are none."""
        texts = list(texts)
        if not texts:
            raise ManifestError(f"{name}: no clip was scored")
        return cls(
            name,
            wer=error_rate((text.words for text in texts), seed),
            cer=error_rate((text.characters for text in texts), seed),
            published=published,
        )


@dataclass(frozen=True)
class Report:
    """Result of a benchmark. seconds: length of the speech of all clips. normalizer: of all texts."""

    task: str
    items: int
    seconds: float
    rows: tuple[Row, ...]
    normalizer: str

    @classmethod
    def of_generation(
        cls,
        task: str,
        name: str,
        items: Iterable[GenerationItem],
        published: tuple[Published, ...],
        normalizer: NormalizerName,
        seed: int = 0,
    ) -> "Report":
        """Build the report of a benchmark with one row, called `name`. Raises ManifestError if there are no items."""
        items = list(items)
        row = Row.of(name, (item.transcript for item in items), published, seed)
        seconds = sum(item.seconds for item in items)
        return cls(task, len(items), seconds, (row,), describe_normalizer(normalizer))

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`; rates are fractions, published results are in percent."""
        return asdict(self)

    def table(self) -> Table:
        """Return a `rich` table of rates in percent with their 95 % intervals."""
        table = Table(
            title=f"{self.task}: {self.items} items, {self.seconds:.1f} s of speech",
            caption="95 % bootstrap interval in brackets. Published: the paper's results, on other data. "
            f"Normalizer: {self.normalizer}.",
        )
        table.add_column("")
        table.add_column("WER %", justify="right", no_wrap=True)
        table.add_column("CER %", justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(
                escape_markup(row.name), escape_markup(row.wer.percent), escape_markup(row.cer.percent)
            )
            for result in row.published:
                cells = [
                    f"{result.percent:.1f}" if result.metric == metric else "" for metric in ("WER", "CER")
                ]
                table.add_row(f"  published: {result.what}", *cells, style="dim")
            table.add_section()
        return table


def reference_text(clip: Clip, normalizer: NormalizerName = "spoken") -> str:
    """Return the clip's text. Raises ManifestError if it has none, or none that contains a word."""
    if clip.text is None or not any(map(str.isalnum, load_normalizer(normalizer)(clip.text))):
        raise ManifestError(f"{clip.id}: no text to score against; the manifest needs the field text")
    return clip.text
