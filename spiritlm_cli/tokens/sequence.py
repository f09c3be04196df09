"""A sequence: spans of text and of speech that take turns."""

from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Sequence:
    """Spans in canonical form: none is empty, and neighbours differ in kind. `Sequence.of` makes it so."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Sequence":
        """Drop empty spans and join neighbours of one kind."""
        merged: list[Span] = []
        for span in spans:
            last = merged[-1] if merged else None
            if isinstance(span, TextSpan):
                if not span.text:
                    continue
                if isinstance(last, TextSpan):
                    merged[-1] = TextSpan(last.text + span.text)
                    continue
            else:
                if not span.units:
                    continue
                if isinstance(last, SpeechSpan):
                    merged[-1] = SpeechSpan(last.units + span.units)
                    continue
            merged.append(span)
        return cls(tuple(merged))

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
