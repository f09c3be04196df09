"""Prompts of the tasks that the language model answers: examples and a question within a context."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.language.few_shot import FewShot
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import EncodedPrompt, Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.tokens.sequence import Line
from spiritlm_cli.tokens.sequence import Sequence as Tokens

T = TypeVar("T")

# The most examples that a table names one by one.
_NAMED_EXAMPLES = 12


@dataclass(frozen=True)
class Question:
    """What is asked about an item.

    line: its speech or its text; key: sets its random numbers apart; speaker: no example is of that speaker. room:
    number of tokens that are kept free for the answer; limit: the most tokens of an answer, None for as many as fit.
    """

    line: Line
    key: str
    room: int
    limit: int | None = None
    speaker: str | None = None


@dataclass(frozen=True)
class Prompted:
    """A request, and what is recorded about it.

    encoded: the prompt. examples: the ids of those in it; cut: whether some did not fit, or the question did not.
    """

    request: GenerationRequest
    encoded: EncodedPrompt
    examples: tuple[str, ...]
    cut: bool

    def to_record(self) -> Record:
        """The fields of a record."""
        return {"prompt_tokens": len(self.encoded), "examples": list(self.examples), "cut": self.cut}


@dataclass(frozen=True)
class Asked(Generic[T]):
    """An item and its prompt, or the error in its place."""

    item: T
    outcome: Prompted | SpiritLMError

    @classmethod
    def of(cls, item: T, prompt: Callable[[], Prompted]) -> "Asked[T]":
        """Build the prompt of an item."""
        try:
            return cls(item, prompt())
        except SpiritLMError as error:
            return cls(item, error)

    @property
    def prompted(self) -> Prompted:
        """The prompt. Raises the error of an item that has none."""
        if isinstance(self.outcome, SpiritLMError):
            raise self.outcome
        return self.outcome

    def request(self) -> GenerationRequest:
        """What is generated. Raises the error of an item that has no prompt."""
        return self.prompted.request


@dataclass(frozen=True)
class Prompter:
    """Builds prompts.

    to: modality of the answers. few_shot: the form and the examples; None for the item's line alone. context: the most
    tokens of a prompt and its answer together; None for the task's.
    """

    language_model: LanguageModel
    to: Literal["speech", "text"]
    sampling: Sampling
    few_shot: FewShot | None = None
    context: int | None = None

    @property
    def context_length(self) -> int:
        """The most tokens of a prompt and its answer together, unless a question alone takes more."""
        model = self.language_model.context_length
        if self.context is not None:
            return min(self.context, model)
        return self.few_shot.context(model) if self.few_shot else model

    def __call__(self, question: Question) -> Prompted:
        """Build the prompt of a question, with as many examples as fit.

        A question that does not fit into the context by itself may use the model's whole context.
        Raises TokenError for a line that does not suit the task, and if there are too few examples.
        """
        vocabulary, context = self.language_model.vocabulary, self.context_length
        chosen = self.few_shot.choose(question.line, question.key, question.speaker) if self.few_shot else []
        prompt = (
            self.few_shot.task.build_prompt(question.line, [example.load() for example in chosen])
            if self.few_shot
            else Prompt(question.line)
        )
        fitting = prompt.encode(vocabulary, self.to).fitting_examples(context - question.room)
        prompt = replace(prompt, examples=prompt.examples[:fitting])
        encoded = prompt.encode(vocabulary, self.to)
        is_long = len(encoded) + question.room > context
        if is_long:
            context = self.language_model.context_length
        free = max(1, context - len(encoded))
        sampling = replace(self.sampling, max_new_tokens=min(question.limit or free, free))
        return Prompted(
            GenerationRequest(prompt, self.to, sampling, question.key),
            encoded,
            tuple(example.id or "(without id)" for example in chosen[:fitting]),
            cut=is_long or fitting < len(chosen),
        )

    def answer(self, sequence: Tokens) -> Tokens:
        """The answer in what was generated."""
        return Tokens.of(self.few_shot.task.normalize_answer(sequence.spans)) if self.few_shot else sequence


def prompting_counts(records: Sequence[Record]) -> dict[str, float]:
    """Numbers of the heading of a result: prompts that were cut, and answers that ended at a limit."""
    asked = [record for record in records if "cut" in record]
    if not asked:
        return {}
    return {
        "prompts cut": sum(record["cut"] for record in asked),
        "answers unfinished": sum(not record["finished"] for record in asked),
    }


def prompting_notes(records: Sequence[Record], published_shots: int) -> tuple[str, ...]:
    """Sentences about the examples in the prompts, and empty outputs. published_shots: of the published results."""
    empty = sum(record["text"] == "" for record in records)
    said = f"{empty} of {len(records)} outputs are empty, or have an empty transcript."
    return (_examples_note(records, published_shots), *([said] if empty else []))


def _examples_note(records: Iterable[Record], published_shots: int) -> str:
    examples = [record["examples"] for record in records if "examples" in record]
    if not examples:
        return "The outputs were given, and not generated here."
    most = max(map(len, examples))
    if not most:
        return f"Zero-shot: no examples in the prompts. The published results are with {published_shots} examples."
    names = dict.fromkeys(name for ids in examples for name in ids)
    listed = ", ".join(names) if len(names) <= _NAMED_EXAMPLES else f"{len(names)} in all, in the items file"
    mean = sum(map(len, examples)) / len(examples)
    return f"Examples in a prompt: {mean:.1f} on average, at most {most}: {listed}."
