"""A sequence: spans of text and of speech that take turns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Literal

from spiritlm_cli.tokens.units import Unit

Modality = Literal["text", "speech"]


@dataclass(frozen=True)
class TextSpan:
    """Text, verbatim."""

    text: str


@dataclass(frozen=True)
class SpeechSpan:
    """Units in time order."""

    units: tuple[Unit, ...]


Span = TextSpan | SpeechSpan


def modality(span: Span) -> Modality:
    """What a span is made of."""
    return "text" if isinstance(span, TextSpan) else "speech"


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

    @property
    def ends_in(self) -> Modality | None:
        """What its last span is made of; None where it is empty."""
        return modality(self.spans[-1]) if self.spans else None

    def after(self, start: "Sequence") -> "Sequence":
        """What follows `start`, which the sequence begins with. Raises ValueError where it doesn't."""
        whole = len(start.spans) - 1
        if whole < 0:
            return self
        last, joined = start.spans[-1], self.spans[whole] if whole < len(self.spans) else None
        if start.spans[:-1] == self.spans[:whole]:
            rest = self.spans[whole + 1 :]
            if (
                isinstance(last, TextSpan)
                and isinstance(joined, TextSpan)
                and joined.text.startswith(last.text)
            ):
                return Sequence.of((TextSpan(joined.text[len(last.text) :]), *rest))
            if isinstance(last, SpeechSpan) and isinstance(joined, SpeechSpan):
                count = len(last.units)
                if joined.units[:count] == last.units:
                    return Sequence.of((SpeechSpan(joined.units[count:]), *rest))
        raise ValueError("the sequence does not begin with that")


@dataclass(frozen=True)
class Line:
    """One line of a token stream: a sequence and, where it has one, its id.

    How it was written, which makes no other sequence of it: opens: the marker at its very end, with nothing after it,
    where it is not that of the last span; prompt: what stands before the last marker that repeats the one before.
    """

    sequence: Sequence
    id: str | None = None
    opens: Modality | None = field(default=None, compare=False)
    prompt: Sequence | None = field(default=None, compare=False)

    def split(self) -> tuple[Sequence, Sequence]:
        """The prompt and its continuation, which begins where a marker is repeated, or else with the last span."""
        prompt = Sequence(self.sequence.spans[:-1]) if self.prompt is None else self.prompt
        return prompt, self.sequence.after(prompt)


@dataclass(frozen=True)
class Header:
    """Where a stream's units come from (the `#spiritlm 1 …` first line)."""

    model: str
    tokenizer: str
