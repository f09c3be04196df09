"""Likelihoods of the candidates of pairs: clips are tokenized, and sequences scored, in batches."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Protocol, TypeVar

import numpy as np

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import SpiritLMError, TokenError
from spiritlm_cli.evaluation.pairs import BadPair, Entry, JoinedClips, Pair, ScoredEntry
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import CountedTokens, Score
from spiritlm_cli.manifests.clip import Clip, FloatArray, Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.speech.windows import split_windows
from spiritlm_cli.tokens.sequence import Line, Sequence, SpeechSpan
from spiritlm_cli.tokens.timeline import timed_units
from spiritlm_cli.tokens.units import Unit, Units

T = TypeVar("T")

# The tokens of a candidate count, but not the marker that opens it.
MARKER_GIVEN = CountedTokens(marker=False)
# Clips that are tokenized before they are scored together: several batches of either network.
_CLIPS_AT_ONCE = 512


class SequenceScorer(Protocol):
    """Computes log-likelihoods of sequences. `LanguageModel` is one."""

    def score_stream(
        self,
        items: Iterable[T],
        sequence: Callable[[T], Sequence],
        given: Callable[[T], Sequence | Line | None] | None = None,
        counted: CountedTokens | None = None,
    ) -> Iterable[tuple[T, Outcome[Score]]]:
        """Yield (item, outcome) in order; take the score from the outcome before the next item.

        sequence: the sequence of an item; given: its context. What these raise for an item, the outcome raises.
        counted: which tokens the score counts; None: all of the sequence.
        """


@dataclass(frozen=True)
class PairScorer:
    """Scores the candidates of pairs: (clip → units →) sequence → log-likelihood.

    tokenizer: required for clips. counted: which tokens a score counts; by default, all of the candidate but the marker
    that opens it. batch_seconds, workers: see `SpeechTokenizer.encode_stream`.
    """

    scorer: SequenceScorer
    tokenizer: SpeechTokenizer | None = None
    counted: CountedTokens = MARKER_GIVEN
    batch_seconds: float | None = None
    workers: int = 2

    @classmethod
    def load(
        cls,
        model: str | Checkpoint | None = "nano",
        *,
        speech: bool = False,
        counted: CountedTokens = MARKER_GIVEN,
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
        return cls(lm, tokenizer, counted, batch_seconds, workers)

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
            yield from _score(self.scorer, _with_contexts(steps), self.counted)
            return
        with closing(_tokenize(steps, self.tokenizer, self.batch_seconds, self.workers)) as tokenized:
            candidates = _with_contexts(tokenized)
            # A scorer may take its items in another thread, and a thread that is inside a network when the program ends
            # crashes it. So run the tokenizer in this thread.
            while chunk := list(islice(candidates, _CLIPS_AT_ONCE)):
                yield from _score(self.scorer, chunk, self.counted)


@dataclass(frozen=True)
class _Step:
    """A candidate to be tokenized and scored, or the error in its place; last: of its entry.

    given: its context. is_context: the content is the context of the candidates that follow.
    """

    entry: Entry
    content: Sequence | Clip | JoinedClips | SpiritLMError
    last: bool = False
    given: Sequence | Line | None = None
    is_context: bool = False


@dataclass(eq=False)
class _Reading:
    """The audio of a step. given_seconds: length of the context of joined clips, once they are read."""

    content: Clip | JoinedClips
    given_seconds: float = field(default=0.0, init=False)

    def windows(self, tokenizer: SpeechTokenizer) -> Iterator[FloatArray]:
        """Read the windows to encode. Raises AudioError."""
        if isinstance(self.content, Clip):
            yield from tokenizer.read_windows(self.content)
            return
        parts = [read_clip(clip, rate=tokenizer.rate) for clip in (self.content.given, self.content.clip)]
        self.given_seconds = parts[0].seconds
        joined = Waveform(np.concatenate([part.samples for part in parts]), tokenizer.rate)
        yield from split_windows(tokenizer.check_waveform(joined))

    def sequences(self, units: Units) -> tuple[Sequence | None, Sequence]:
        """Return the context, None for a clip, and the candidate. Raises TokenError for a candidate without units."""
        timed = timed_units(units)
        if isinstance(self.content, Clip):
            return None, _speech(timed.units)
        # Units belong to the clip in which they begin.
        index = int(np.searchsorted(timed.seconds, self.given_seconds))
        if index == len(timed.units):
            raise TokenError("too short for a unit of its own after the speech before it")
        return _speech(timed.units[:index]), _speech(timed.units[index:])


def _speech(units: tuple[Unit, ...]) -> Sequence:
    return Sequence.of([SpeechSpan(units)])


def _steps(entries: Iterable[Entry], speech: bool) -> Iterator[_Step]:
    """Yield a step for each candidate and for contexts that are clips, and one for each bad entry, in its position."""
    for entry in entries:
        given = entry.given if isinstance(entry, Pair) else None
        contents = [*(candidate.content for candidate in entry.candidates), given]
        if not speech and any(isinstance(content, Clip | JoinedClips) for content in contents):
            raise ValueError(f"{entry.id}: clips need a tokenizer")
        if isinstance(entry, BadPair):
            yield _Step(entry, entry.error, last=True)
        if isinstance(given, Clip):
            yield _Step(entry, given, is_context=True)
            given = None
        for count, candidate in enumerate(entry.candidates, 1):
            yield _Step(entry, candidate.content, count == len(entry.candidates), given)


def _tokenize(
    steps: Iterable[_Step], tokenizer: SpeechTokenizer, batch_seconds: float | None, workers: int
) -> Generator[_Step, None, None]:
    """Replace clips by the sequences of their units, or by the error that tokenizing raised."""
    pending: deque[_Step] = deque()

    def readings() -> Iterator[_Reading]:
        for step in steps:
            pending.append(step)
            if isinstance(step.content, Clip | JoinedClips):
                yield _Reading(step.content)

    encoded = tokenizer.encode_windows_stream(
        readings(), lambda reading: reading.windows(tokenizer), batch_seconds, workers
    )
    for reading, windows in encoded:
        while (step := pending.popleft()).content is not reading.content:
            yield step
        try:
            # Take the windows now: they are lost when the next clip is requested.
            given, sequence = reading.sequences(tokenizer.join_windows(list(windows)))
        except SpiritLMError as error:
            source = (
                f"{reading.content.source}: " if step.is_context and isinstance(reading.content, Clip) else ""
            )
            yield replace(step, content=type(error)(f"{source}{error}"))
        else:
            yield replace(step, content=sequence, given=given or step.given)
    yield from pending


def _with_contexts(steps: Iterable[_Step]) -> Iterator[_Step]:
    """Yield the candidates with their contexts, without the steps of contexts."""
    context: _Step | None = None
    for step in steps:
        if step.is_context:
            context = step
        elif context is None or context.entry is not step.entry:
            yield step
        elif isinstance(context.content, SpiritLMError):
            yield replace(step, content=context.content)
        else:
            assert isinstance(context.content, Sequence)
            yield replace(step, given=context.content)


def _score(
    scorer: SequenceScorer, steps: Iterable[_Step], counted: CountedTokens
) -> Iterator[tuple[_Step, Outcome[Score]]]:
    """Yield each step with the outcome of scoring it, which has been computed."""
    for step, outcome in scorer.score_stream(steps, _sequence, lambda step: step.given, counted):
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
