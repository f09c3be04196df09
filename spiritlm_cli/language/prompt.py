"""Prompts: a line to continue, with optional examples before it."""

from dataclasses import dataclass

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Line, Modality, Sequence, SpeechSpan
from spiritlm_cli.tokens.units import Kind


@dataclass(frozen=True)
class Prompt:
    """A line to continue, and examples that precede it.

    line: may end in a bare marker, which opens the span to fill. examples: sequences, each encoded with all its
    markers.
    """

    line: Line
    examples: tuple[Sequence, ...] = ()

    @classmethod
    def of(cls, prompt: "Sequence | Line | Prompt") -> "Prompt":
        """Convert a sequence or a line to a prompt without examples; return a prompt unchanged."""
        if isinstance(prompt, Prompt):
            return prompt
        return cls(prompt if isinstance(prompt, Line) else Line(prompt))

    @property
    def ends_in(self) -> Modality | None:
        """Modality of the last span or of the marker at the end; None if the line is empty."""
        return self.line.opens or self.line.sequence.ends_in

    @property
    def trailing_hubert(self) -> list[int]:
        """Phonetic ids of the last span if it is speech, otherwise an empty list."""
        return [
            unit.id
            for span in self.line.sequence.spans[-1:]
            if isinstance(span, SpeechSpan)
            for unit in span.units
            if unit.kind is Kind.HUBERT
        ]

    def encode(self, vocabulary: Vocabulary, output: Modality | None = None) -> "EncodedPrompt":
        """Convert the prompt to token ids.

        output: modality of the continuation, None for both; a marker at the end is kept only if it opens a span of
        that modality. Raises TokenError for a unit that the vocabulary does not have.
        """
        ids = vocabulary.encode(self.line.sequence, output or self.line.opens)
        start = vocabulary.start_length
        examples = tuple(vocabulary.encode(example)[start:] for example in self.examples)
        return EncodedPrompt(ids, examples, start)


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as token ids.

    line_ids: the start token, if there is one, and the ids of the line. example_ids: the ids of each example, without
    the start token. start_length: number of start tokens, 1 or 0.
    """

    line_ids: list[int]
    example_ids: tuple[list[int], ...] = ()
    start_length: int = 1

    @property
    def ids(self) -> list[int]:
        """The network's input: the start token, the examples, the line."""
        examples = (token for example in self.example_ids for token in example)
        return [*self.line_ids[: self.start_length], *examples, *self.line_ids[self.start_length :]]

    @property
    def shared_prefix(self) -> int:
        """Number of leading ids that other prompts with the same examples share; 0 without examples."""
        return self.start_length + sum(map(len, self.example_ids)) if self.example_ids else 0

    def __len__(self) -> int:
        return len(self.line_ids) + sum(map(len, self.example_ids))

    def check_length(self, context_length: int) -> None:
        """Raise TokenError unless the prompt leaves room for one more token within `context_length`."""
        if len(self) < context_length:
            return
        count = len(self.example_ids)
        fitting = [count - n for n in range(1, count + 1) if len(self.drop_examples(n)) < context_length]
        advice = f"; {fitting[0]} of its {count} examples would fit" if fitting else ""
        raise TokenError(
            f"the prompt has {len(self)} tokens and leaves no room in the model's context of {context_length}{advice}"
        )

    def drop_examples(self, count: int) -> "EncodedPrompt":
        """Remove the first `count` examples."""
        return EncodedPrompt(self.line_ids, self.example_ids[count:], self.start_length)

    def fitting_examples(self, max_length: int) -> int:
        """How many of the first examples fit beside the line into `max_length` tokens."""
        room = max_length - len(self.line_ids)
        fitting = 0
        for ids in self.example_ids:
            room -= len(ids)
            if room < 0:
                break
            fitting += 1
        return fitting

    def truncate(self, max_length: int, vocabulary: Vocabulary) -> "EncodedPrompt":
        """Shorten the prompt to `max_length` tokens from the left.

        Removes whole examples first, the earliest first, then the beginning of the line.
        """
        count = next(
            (n for n in range(len(self.example_ids)) if len(self.drop_examples(n)) <= max_length),
            len(self.example_ids),
        )
        shortened = self.drop_examples(count)
        if len(shortened) <= max_length:
            return shortened
        return EncodedPrompt(vocabulary.truncate_left(self.line_ids, max_length), (), self.start_length)
