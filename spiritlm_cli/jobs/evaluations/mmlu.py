"""`evaluate mmlu`: multiple-choice questions about 57 subjects, as text."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from spiritlm_cli.batching import Outcome
from spiritlm_cli.evaluation.mmlu import (
    LETTERS,
    BadQuestion,
    FittedPrompt,
    Question,
    answer_record,
    find_subjects,
    fit_prompt,
    read_examples,
    read_questions,
)
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.options.evaluate_choice import MmluOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import Score, ScoredChoices
from spiritlm_cli.tokens.sequence import Sequence as TokenSequence
from spiritlm_cli.tokens.sequence import TextSpan

__all__ = ["MmluEvaluation"]


@dataclass(frozen=True)
class _Asked:
    """A question and the examples that its prompt may have."""

    question: Question
    examples: tuple[Question, ...]

    @property
    def id(self) -> str:
        return self.question.id

    @property
    def source(self) -> str:
        return self.question.source


@dataclass(frozen=True)
class MmluEvaluation(Evaluation[MmluOptions, _Asked]):
    """Questions of MMLU."""

    what = "questions"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The language model."""
        return ("language model",)

    def items(self) -> Sequence[_Asked | BadItem]:
        """Read the questions of all subjects, and the examples of their prompts."""
        options = self.options
        items: list[_Asked | BadItem] = []
        for subject in find_subjects(options.path, options.split, options.subjects):
            examples = tuple(read_examples(subject, options.shots))
            for question in read_questions(subject.questions, subject.name):
                if isinstance(question, BadQuestion):
                    items.append(BadItem(question.id, question.source, question.error))
                else:
                    items.append(_Asked(question, examples))
        return items

    def facts(self) -> dict[str, Any]:
        """The form of the prompts."""
        options = self.options
        return {
            "split": options.split,
            "shots": f"{options.shots}, the first of dev",
            "tokens at most": f"{options.context}, or the model's context if it is shorter",
            "marker": "given, before the prompt",
        }

    @contextmanager
    def load(self) -> Iterator[Measure[_Asked]]:
        """Load the language model. Raises CheckpointError."""
        options = self.options
        lm = LanguageModel.load(options.checkpoint, options.expressive, options.device, options.dtype)
        yield partial(_measure, lm, min(options.context, lm.context_length))


@dataclass(frozen=True)
class _Fitted:
    """A question and its prompt, or the error in its place."""

    item: _Asked
    prompt: Outcome[FittedPrompt]

    def choices(self, letters: tuple[tuple[int, ...], ...]) -> ScoredChoices:
        """The letters after the prompt. Raises ManifestError if the question is too long."""
        return ScoredChoices(self.prompt.result().ids, letters)

    def record(self, scores: Sequence[Score]) -> Record:
        """The record of the question."""
        log_likelihoods = [score.log_likelihood for score in scores]
        return answer_record(self.item.question, self.prompt.result(), log_likelihoods)


def _measure(
    lm: LanguageModel, max_tokens: int, items: Iterable[_Asked]
) -> Iterator[tuple[_Asked, Outcome[Record]]]:
    """Score the letters after each prompt. max_tokens: of a prompt and a letter."""
    letters = tuple(tuple(lm.vocabulary.encode_text(f" {letter}")) for letter in LETTERS)
    room = max_tokens - max(map(len, letters))

    def encode(text: str) -> list[int]:
        return lm.vocabulary.encode(TokenSequence.of([TextSpan(text)]))

    fitted = (
        _Fitted(item, Outcome.of(partial(fit_prompt, item.question, item.examples, encode, room)))
        for item in items
    )
    for one, outcome in lm.score_choices_stream(fitted, lambda one: one.choices(letters)):
        yield one.item, outcome.map(one.record)
