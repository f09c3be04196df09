"""What a benchmark found: for each item, and in all; as JSON, and as a table for people."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.table import Table

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.metrics import ErrorCount, ErrorRate, character_errors, error_rate, word_errors


@dataclass(frozen=True)
class Transcript:
    """A text to be scored, and its errors against what should have been said or written."""

    text: str
    words: ErrorCount
    characters: ErrorCount

    @classmethod
    def score(cls, reference: str, text: str) -> "Transcript":
        return cls(text, word_errors(reference, text), character_errors(reference, text))

    def to_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "wer": self.words.rate,
            "cer": self.characters.rate,
            "words": asdict(self.words),
            "characters": asdict(self.characters),
        }


@dataclass(frozen=True)
class Published:
    """A number from the paper, in percent, measured on other data: a yardstick, not a target."""

    what: str
    metric: Literal["WER", "CER"]
    percent: float


@dataclass(frozen=True)
class Row:
    """The error rates of one kind of transcript over all items."""

    name: str
    wer: ErrorRate
    cer: ErrorRate
    published: tuple[Published, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        transcripts: Iterable[Transcript],
        published: tuple[Published, ...] = (),
        seed: int = 0,
    ) -> "Row":
        """Raises ManifestError where there are no transcripts."""
        transcripts = list(transcripts)
        if not transcripts:
            raise ManifestError(f"{name}: no clip was scored")
        return cls(
            name,
            wer=error_rate((transcript.words for transcript in transcripts), seed),
            cer=error_rate((transcript.characters for transcript in transcripts), seed),
            published=published,
        )


@dataclass(frozen=True)
class Report:
    """A benchmark's result. seconds: of sound listened to, over all items."""

    task: str
    items: int
    seconds: float
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`: rates are fractions, the published numbers percent as the paper prints them."""
        return asdict(self)

    def table(self) -> Table:
        """For `rich`: percent, with the 95 % interval."""
        table = Table(
            title=f"{self.task}: {self.items} items, {self.seconds:.1f} s of sound",
            caption="95 % bootstrap interval in brackets. Published: the paper's numbers, on other data.",
        )
        table.add_column("")
        table.add_column("WER %", justify="right", no_wrap=True)
        table.add_column("CER %", justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(row.name, _percent(row.wer), _percent(row.cer))
            for number in row.published:
                cells = [
                    f"{number.percent:.1f}" if number.metric == metric else "" for metric in ("WER", "CER")
                ]
                table.add_row(f"  published: {number.what}", *cells, style="dim")
            table.add_section()
        return table


def _percent(rate: ErrorRate) -> str:
    return f"{100 * rate.rate:.1f} [{100 * rate.low:.1f}–{100 * rate.high:.1f}]".replace("[", "\\[")
