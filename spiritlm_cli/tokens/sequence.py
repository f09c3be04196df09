"""A sequence: spans of text and of speech that take turns."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, groupby

from spiritlm_cli.tokens.units import Unit


@dataclass(frozen=True)
class TextSpan:
    """Text, verbatim."""

    text: str


@dataclass(frozen=True)
class SpeechSpan:
    """Units in time order."""

    units: tuple[Unit, ...]


Span = TextSpan | SpeechSpan


def _join(kind: type[Span], spans: list[Span]) -> Span:
    if len(spans) == 1:
        return spans[0]
    if kind is TextSpan:
        return TextSpan("".join(span.text for span in spans if isinstance(span, TextSpan)))
    return SpeechSpan(
        tuple(chain.from_iterable(span.units for span in spans if isinstance(span, SpeechSpan)))
    )


@dataclass(frozen=True)
class Sequence:
    """Spans in canonical form: none is empty, and neighbours differ in kind. `Sequence.of` makes it so."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Sequence":
        """Drop empty spans and join neighbours of one kind."""
        kept = (span for span in spans if (span.text if isinstance(span, TextSpan) else span.units))
        return cls(tuple(_join(kind, list(group)) for kind, group in groupby(kept, key=type)))

    @property
    def speech(self) -> tuple[SpeechSpan, ...]:
        """The speech spans, in order."""
        return tuple(span for span in self.spans if isinstance(span, SpeechSpan))

    @property
    def text(self) -> str:
        """The text of all text spans, run together."""
        return "".join(span.text for span in self.spans if isinstance(span, TextSpan))


@dataclass(frozen=True)
class Line:
    """One line of a token stream: a sequence and, where it has one, its id."""

    sequence: Sequence
    id: str | None = None


@dataclass(frozen=True)
class Header:
    """Where a stream's units come from (the `#spiritlm 1 …` first line)."""

    model: str
    tokenizer: str
