"""What is to be continued."""

from dataclasses import dataclass

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Line, Modality, Sequence, SpeechSpan
from spiritlm_cli.tokens.units import Kind


@dataclass(frozen=True)
class Prompt:
    """A line, which may end in a bare marker, and sequences that stand before it, each with all its markers."""

    line: Line
    examples: tuple[Sequence, ...] = ()

    @classmethod
    def of(cls, given: "Sequence | Line | Prompt") -> "Prompt":
        """A prompt without examples, unless it is one already."""
        if isinstance(given, Prompt):
            return given
        return cls(given if isinstance(given, Line) else Line(given))

    @property
    def ends_in(self) -> Modality | None:
        """What goes on or begins at its end; None where it is empty."""
        return self.line.opens or self.line.sequence.ends_in

    @property
    def heard(self) -> list[int]:
        """The phonetic units that it ends in, of its last speech span."""
        last = self.line.sequence.spans[-1:]
        return [
            unit.id
            for span in last
            if isinstance(span, SpeechSpan)
            for unit in span.units
            if unit.kind is Kind.HUBERT
        ]

    def encode(self, vocabulary: Vocabulary, then: Modality | None) -> "EncodedPrompt":
        """then: the kind that is to follow; None for any. Raises TokenError for a unit that the model doesn't have."""
        # a marker that it ends in stays only where what it opens may follow
        ids = vocabulary.encode(self.line.sequence, then or self.line.opens)
        return EncodedPrompt(ids, tuple(vocabulary.encode(example)[1:] for example in self.examples))


@dataclass(frozen=True)
class EncodedPrompt:
    """ids: `<s>` and the line's tokens, one more at least. examples: the tokens of each, without `<s>`."""

    ids: list[int]
    examples: tuple[list[int], ...] = ()

    @property
    def tokens(self) -> list[int]:
        """All of them, as the network sees them."""
        return [self.ids[0], *(token for example in self.examples for token in example), *self.ids[1:]]

    @property
    def shared(self) -> int:
        """How many of the first tokens are `<s>` and the examples', which other prompts begin with as well."""
        return 1 + sum(map(len, self.examples)) if self.examples else 0

    def __len__(self) -> int:
        return len(self.ids) + sum(map(len, self.examples))

    def checked(self, context: int) -> "EncodedPrompt":
        """Itself. Raises TokenError where with one token more it is longer than the context."""
        if len(self) < context:
            return self
        count = len(self.examples)
        fitting = [count - place for place in range(1, count + 1) if len(self.without(place)) < context]
        advice = f"; {fitting[0]} of its {count} examples would fit" if fitting else ""
        raise TokenError(
            f"the prompt has {len(self)} tokens; with what is to follow, it must fit into the model's context of "
            f"{context}{advice}"
        )

    def without(self, count: int) -> "EncodedPrompt":
        """Without its first examples."""
        return EncodedPrompt(self.ids, self.examples[count:])

    def cut(self, room: int, vocabulary: Vocabulary) -> "EncodedPrompt":
        """No more than so many tokens: without the first examples, and if that is not enough, without the line's
        first tokens."""
        count = next(
            (place for place in range(len(self.examples)) if len(self.without(place)) <= room),
            len(self.examples),
        )
        shorter = self.without(count)
        if len(shorter) <= room:
            return shorter
        return EncodedPrompt(vocabulary.last_tokens(self.ids, room))
