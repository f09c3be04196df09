"""Likelihoods of the candidates of pairs: clips are tokenized, and sequences scored, in batches."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Protocol, TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import SpiritLMError, TokenError
from spiritlm_cli.evaluation.pairs import BadPair, Entry, Pair, ScoredEntry
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import Score
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.timeline import merge_streams

T = TypeVar("T")

# Clips that are tokenized before they are scored together: several batches of either network.
_CLIPS_AT_ONCE = 512


class SequenceScorer(Protocol):
    """Computes log-likelihoods of sequences. `LanguageModel` is one."""

    def score_stream(
        self,
        items: Iterable[T],
        sequence: Callable[[T], Sequence],
        given: Callable[[T], Sequence | Line | None] | None = None,
    ) -> Iterable[tuple[T, Outcome[Score]]]:
        """Yield (item, outcome) in order; take the score from the outcome before the next item.

        sequence: the sequence of an item; given: its context, which is not scored. What these raise for an item, the
        outcome raises.
        """


@dataclass(frozen=True)
class PairScorer:
    """Scores the candidates of pairs: (clip → units →) sequence → log-likelihood.

    tokenizer: required for clips. batch_seconds, workers: see `SpeechTokenizer.encode_stream`.
    """

    scorer: SequenceScorer
    tokenizer: SpeechTokenizer | None = None
    batch_seconds: float | None = None
    workers: int = 2

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        *,
        speech: bool = False,
        expressive: bool = True,
        device: str = "auto",
        dtype: str | None = None,
        batch_seconds: float | None = None,
        workers: int = 2,
    ) -> "PairScorer":
        """Load the parts of a checkpoint: see `find_checkpoint`.

        speech: load the tokenizer, too, which clips require. Raises CheckpointError.
        """
        tokenizer = SpeechTokenizer.load(model, expressive=expressive, device=device) if speech else None
        lm = LanguageModel.load(model, expressive=expressive, device=device, dtype=dtype)
        return cls(lm, tokenizer, batch_seconds, workers)

    def score_stream(self, entries: Iterable[Entry]) -> Iterator[ScoredEntry]:
        """Score entries in order. Bad entries at the start are yielded before anything is computed.

        Raises ValueError for a clip if there is no tokenizer.
        """
        entries = iter(entries)
        for entry in entries:
            if not isinstance(entry, BadPair):
                entries = chain([entry], entries)
                break
            yield ScoredEntry(entry, ())
        steps = _steps(entries, speech=self.tokenizer is not None)
        scores: list[Outcome[Score]] = []
        for step, score in self._scores(steps):
            scores.append(score)
            if step.last:
                yield ScoredEntry(step.entry, tuple(scores) if step.entry.candidates else ())
                scores = []

    def _scores(self, steps: Iterator["_Step"]) -> Iterator[tuple["_Step", Outcome[Score]]]:
        if self.tokenizer is None:
            yield from _score(self.scorer, steps)
            return
        with closing(_tokenize(steps, self.tokenizer, self.batch_seconds, self.workers)) as tokenized:
            # A scorer may take its items in another thread, and a thread that is inside a network when the program ends
            # crashes it. So run the tokenizer in this thread.
            while chunk := list(islice(tokenized, _CLIPS_AT_ONCE)):
                yield from _score(self.scorer, chunk)


@dataclass(frozen=True)
class _Step:
    """A candidate to be tokenized and scored, or the error in its place; last: of its entry."""

    entry: Entry
    content: Sequence | Clip | SpiritLMError
    last: bool


def _steps(entries: Iterable[Entry], speech: bool) -> Iterator[_Step]:
    """Yield a step for each candidate, and one for each bad entry, so that it keeps its position."""
    for entry in entries:
        if not speech and any(isinstance(candidate.content, Clip) for candidate in entry.candidates):
            raise ValueError(f"{entry.id}: clips need a tokenizer")
        if isinstance(entry, BadPair):
            yield _Step(entry, entry.error, last=True)
        for count, candidate in enumerate(entry.candidates, 1):
            yield _Step(entry, candidate.content, last=count == len(entry.candidates))


def _tokenize(
    steps: Iterable[_Step], tokenizer: SpeechTokenizer, batch_seconds: float | None, workers: int
) -> Generator[_Step, None, None]:
    """Replace clips by the sequences of their units, or by the error that tokenizing raised."""
    pending: deque[_Step] = deque()

    def clips() -> Iterator[Clip]:
        for step in steps:
            pending.append(step)
            if isinstance(step.content, Clip):
                yield step.content

    with closing(tokenizer.encode_stream(clips(), batch_seconds=batch_seconds, workers=workers)) as encoded:
        for clip, units in encoded:
            while (step := pending.popleft()).content is not clip:
                yield step
            try:
                # Take the units now: they are lost when the next clip is requested.
                sequence = Sequence.of([merge_streams(units.result())])
            except SpiritLMError as error:
                yield replace(step, content=error)
            else:
                yield replace(step, content=sequence)
    yield from pending


def _score(scorer: SequenceScorer, steps: Iterable[_Step]) -> Iterator[tuple[_Step, Outcome[Score]]]:
    """Yield each step with the outcome of scoring it, which has been computed."""
    for step, outcome in scorer.score_stream(steps, _sequence, _given):
        try:
            score = outcome.result()
            if math.isnan(score.log_likelihood):
                raise TokenError("the likelihood is not a number; try --dtype float32")
        except SpiritLMError as error:
            yield step, Outcome.failure(error)
        else:
            yield step, Outcome([score])


def _sequence(step: _Step) -> Sequence:
    if isinstance(step.content, SpiritLMError):
        raise step.content
    assert isinstance(step.content, Sequence)
    return step.content


def _given(step: _Step) -> Sequence | Line | None:
    return step.entry.given if isinstance(step.entry, Pair) else None
