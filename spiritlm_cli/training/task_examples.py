"""Training sequences in the form of few-shot tasks, from the very templates of `generate --task`."""

import random
from collections.abc import Iterable

import numpy as np

from spiritlm_cli.checkpoints.layout import find_checkpoint
from spiritlm_cli.console import notify
from spiritlm_cli.errors import CheckpointError, ManifestError, OptionError, TokenError
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.language.few_shot import load_task
from spiritlm_cli.language.tasks import Task
from spiritlm_cli.tokens.sequence import Line, Sequence, Span, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import IntArray
from spiritlm_cli.training.corpus import Corpus
from spiritlm_cli.training.epochs import Epochs
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.pairs import LabeledSequence


def utterance_line(utterance: Utterance) -> Line:
    """A clip as a line of its speech and its text."""
    return Line(Sequence.of([merge_streams(utterance.units), TextSpan(utterance.text)]), utterance.id)


def build_examples(task: Task, lines: Iterable[Line]) -> LabeledSequence:
    """Build a sequence of solved examples; its answers are what follows the question of each.

    Raises TokenError for a line without the speech or text that the template uses, and CheckpointError if the example
    of the template does not begin with its question.
    """
    spans: list[Span] = []
    answers: list[IntArray] = []
    for index, line in enumerate(lines):
        example = task.build_example(line).spans
        question = task.build_prompt(line).line.sequence
        try:
            Sequence(example).after(question)
        except ValueError:
            raise CheckpointError(
                f"{task.name}: the example of the template does not begin with its question, so that its answer is "
                "not known"
            ) from None
        known = [_length(span) for span in question.spans] + [0] * len(example)
        for span, length in zip(example, known, strict=False):
            answers.append(np.where(np.arange(_length(span)) >= length, index, -1))
        spans += example
    return LabeledSequence(Sequence(tuple(spans)), answers=tuple(answers))


def _length(span: Span) -> int:
    return len(span.text if isinstance(span, TextSpan) else span.units)


class TaskSource:
    """Draws sequences of a task: the lines in epochs, each after up to `shots` random others."""

    def __init__(self, task: Task, corpus: Corpus, shots: int, seed: int) -> None:
        """corpus: its clips with text, and its token lines. Lines that do not suit the task are left out and counted on
        stderr.
        """
        self._task, self._shots = task, shots
        self._utterances = corpus.clips.utterances
        self._clips = np.flatnonzero(corpus.clips.transcribed)
        self._lines = [line for line in map(Line, corpus.lines) if self._suits(line)]
        if len(self._lines) < len(corpus.lines):
            notify(
                f"{task.name}: {len(corpus.lines) - len(self._lines)} of {len(corpus.lines)} token lines do not have "
                "what the task is about, and are left out"
            )
        self._of = Epochs(max(1, len(self)), seed, "task")

    def _suits(self, line: Line) -> bool:
        try:
            build_examples(self._task, [line])
        except TokenError:
            return False
        return True

    def __len__(self) -> int:
        """Number of examples."""
        return len(self._clips) + len(self._lines)

    def _line(self, index: int) -> Line:
        if index < len(self._clips):
            return utterance_line(self._utterances[self._clips[index]])
        return self._lines[index - len(self._clips)]

    def __call__(self, rng: random.Random, number: int) -> LabeledSequence:
        """Draw a sequence, as a `Source`."""
        last = self._of(number)
        count = rng.randint(0, min(self._shots, len(self) - 1))
        # indices of others: those from the last one on are one higher
        others = [index + (index >= last) for index in rng.sample(range(len(self) - 1), count)]
        return build_examples(self._task, [self._line(index) for index in (*others, last)])


def task_source(options: LanguageModelOptions, corpus: Corpus) -> TaskSource:
    """Create the source of `options.task`.

    Raises CheckpointError for a task or a speech tokenizer that can't be read, OptionError if the template has sounds
    and there is no tokenizer for them, or if it has no answers to train on, and ManifestError if there are no data.
    """
    assert options.task
    utterances = corpus.clips.utterances
    expressive = bool(utterances) and utterances[0].units.pitch is not None
    source = TaskSource(load_training_task(options, expressive), corpus, options.shots, options.seed)
    if not len(source):
        raise ManifestError(
            f"--task {options.task}: there are no clips with text, and no token lines that suit it"
        )
    answers = source(random.Random(0), 0).answers
    if options.loss == "answer" and not any((answer >= 0).any() for answer in answers):
        raise OptionError(f"is answer, and the template {options.task} has none after its question", "--loss")
    return source


def load_training_task(options: LanguageModelOptions, expressive: bool) -> Task:
    """Load `options.task`; expressive: units of its sounds. Raises CheckpointError and OptionError as `task_source`."""
    assert options.task
    try:
        return Task.load(options.task)
    except ValueError:
        if not options.tokenizer:
            raise OptionError(
                f"the template {options.task} has sounds; name the model whose units the data have",
                "--tokenizer",
            ) from None
    return load_task(options.task, find_checkpoint(options.tokenizer), expressive, options.device)
