"""Sequences of text and speech spans, and the lines and headers of token files."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Literal

from spiritlm_cli.tokens.units import Unit

Modality = Literal["text", "speech"]


@dataclass(frozen=True)
class TextSpan:
    """A span of text, verbatim."""

    text: str


@dataclass(frozen=True)
class SpeechSpan:
    """A span of speech: units in time order."""

    units: tuple[Unit, ...]


Span = TextSpan | SpeechSpan


def modality(span: Span) -> Modality:
    """Return the modality of a span."""
    return "text" if isinstance(span, TextSpan) else "speech"


def _join(kind: type[Span], spans: list[Span]) -> Span:
    """Join spans of one type into one."""
    if len(spans) == 1:
        return spans[0]
    if kind is TextSpan:
        return TextSpan("".join(span.text for span in spans if isinstance(span, TextSpan)))
    return SpeechSpan(
        tuple(chain.from_iterable(span.units for span in spans if isinstance(span, SpeechSpan)))
    )


@dataclass(frozen=True)
class Sequence:
    """Alternating text and speech spans, none of them empty. `Sequence.of` builds this form from any spans."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Sequence":
        """Return the sequence of some spans: drop empty ones, and join neighbors of the same modality."""
        kept = (span for span in spans if (span.text if isinstance(span, TextSpan) else span.units))
        return cls(tuple(_join(kind, list(group)) for kind, group in groupby(kept, key=type)))

    @property
    def speech(self) -> tuple[SpeechSpan, ...]:
        """The speech spans, in order."""
        return tuple(span for span in self.spans if isinstance(span, SpeechSpan))

    @property
    def text(self) -> str:
        """The text of all text spans, concatenated."""
        return "".join(span.text for span in self.spans if isinstance(span, TextSpan))

    @property
    def ends_in(self) -> Modality | None:
        """Modality of the last span; None for an empty sequence."""
        return modality(self.spans[-1]) if self.spans else None

    def after(self, start: "Sequence") -> "Sequence":
        """Return the rest of the sequence after `start`. Raises ValueError if the sequence does not begin with it."""
        index = len(start.spans) - 1
        if index < 0:
            return self
        # the last span of `start` may continue in this sequence
        last, joined = start.spans[-1], self.spans[index] if index < len(self.spans) else None
        if start.spans[:-1] == self.spans[:index]:
            rest = self.spans[index + 1 :]
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
        raise ValueError("the sequence does not begin with the given start")


@dataclass(frozen=True)
class Line:
    """One line of a token stream: a sequence, and its id if it has one.

    Two fields keep details of the text form that do not change the sequence, and do not count in comparisons:
    opens: modality of a marker at the end of the line with nothing after it, if it differs from the last span's.
    prompt: the sequence before the last repeated marker; None if no marker is repeated.
    """

    sequence: Sequence
    id: str | None = None
    opens: Modality | None = field(default=None, compare=False)
    prompt: Sequence | None = field(default=None, compare=False)

    def split(self) -> tuple[Sequence, Sequence]:
        """Return the prompt and the continuation.

        The continuation begins at the last repeated marker, or with the last span if no marker is repeated.
        """
        prompt = Sequence(self.sequence.spans[:-1]) if self.prompt is None else self.prompt
        return prompt, self.sequence.after(prompt)


@dataclass(frozen=True)
class Header:
    """The first line of a token file, `#spiritlm 1 …`: the model and the hash of the tokenizer its units are from."""

    model: str
    tokenizer: str
