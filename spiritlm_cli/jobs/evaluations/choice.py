"""`evaluate choice`: multiple-choice questions in text and speech."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import TokenError
from spiritlm_cli.evaluation.choice import choice_record
from spiritlm_cli.evaluation.choice_files import BadQuestion, Content, Question, read_choices
from spiritlm_cli.evaluation.clip_units import encode_clips
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.options.evaluate_choice import ChoiceOptions
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import ScoredChoices
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Line, Span, modality
from spiritlm_cli.tokens.sequence import Sequence as TokenSequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units

__all__ = ["ChoiceEvaluation"]


@dataclass(frozen=True)
class ChoiceEvaluation(Evaluation[ChoiceOptions, Question]):
    """Questions of JSONL files."""

    what = "questions"

    @cached_property  # reads the files
    def parts(self) -> tuple[Part, ...]:
        """The language model, and the tokenizer if there are clips."""
        has_clips = any(isinstance(item, Question) and _clips(item) for item in self.items())
        return ("tokenizer", "language model") if has_clips else ("language model",)

    def items(self) -> Sequence[Question | BadItem]:
        """Read the questions of all files."""
        questions = (question for path in self.options.paths for question in read_choices(path))
        return [
            BadItem(question.id, question.source, question.error)
            if isinstance(question, BadQuestion)
            else question
            for question in questions
        ]

    def facts(self) -> dict[str, Any]:
        """What counts."""
        return {"marker": "counted" if self.options.count_marker else "given"}

    @contextmanager
    def load(self) -> Iterator[Measure[Question]]:
        """Load the language model, and the tokenizer once there is a clip. Raises CheckpointError."""
        options = self.options
        lm = LanguageModel.load(options.checkpoint, options.expressive, options.device, options.dtype)
        load_tokenizer = partial(
            SpeechTokenizer.load, options.checkpoint, expressive=options.expressive, device=options.device
        )
        yield partial(_measure, lm, cache(load_tokenizer), options)


def _measure(
    lm: LanguageModel,
    tokenizer: Callable[[], SpeechTokenizer],
    options: ChoiceOptions,
    questions: Iterable[Question],
) -> Iterator[tuple[Question, Outcome[Record]]]:
    tokenized = encode_clips(questions, _clips, tokenizer, options.batch_seconds, options.workers)
    for chunk in tokenized:
        for (question, _), outcome in lm.score_choices_stream(
            chunk, lambda one: _encode(lm, *one, options.count_marker)
        ):
            yield question, outcome.map(partial(choice_record, question))


def _clips(question: Question) -> list[Clip]:
    return [
        part for content in (question.prompt, *question.choices) for part in content if isinstance(part, Clip)
    ]


def _encode(
    lm: LanguageModel, question: Question, units: Outcome[Units], count_marker: bool
) -> ScoredChoices:
    """The ids of the prompt and of each choice. count_marker: the marker that opens the choices is one of theirs.

    Raises the error of a clip, and TokenError for a choice without units, for units that the model does not have, and
    for more tokens than its context.
    """
    streams = iter(units)
    prompt, *choices = (_sequence(content, streams) for content in (question.prompt, *question.choices))
    encoded = [_continuation(lm.vocabulary, prompt, choice, count_marker) for choice in choices]
    scored = ScoredChoices(encoded[0][0], tuple(tuple(ids) for _, ids in encoded))
    if not scored.context:
        raise TokenError(
            "without a prompt, a model without start token and markers can't score the first token"
        )
    scored.check_length(lm.context_length)
    return scored


def _sequence(content: Content, units: Iterator[Units]) -> TokenSequence:
    spans: list[Span] = []
    for part in content:
        spans += [merge_streams(next(units))] if isinstance(part, Clip) else part.spans
    return TokenSequence.of(spans)


def _continuation(
    vocabulary: Vocabulary, prompt: TokenSequence, choice: TokenSequence, count_marker: bool
) -> tuple[list[int], list[int]]:
    if not choice.spans:
        raise TokenError("a choice has no units: its clip is too short")
    opens = None if count_marker else modality(choice.spans[0])
    return vocabulary.encode_continuation(Line(prompt, opens=opens), choice)
