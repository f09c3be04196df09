"""Pairs of which one side should be likelier: how often the language model finds it so."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice, product
from typing import Any, Protocol, TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import SpiritLMError, TokenError
from spiritlm_cli.language.model import LanguageModel, Score
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.timeline import merge_streams

T = TypeVar("T")

# Clips whose units wait to be scored together: several batches of either kind.
_HEARD_AT_ONCE = 512


class Scorer(Protocol):
    """What says how likely sequences are: a `LanguageModel`."""

    def score_stream(
        self,
        items: Iterable[T],
        sequence: Callable[[T], Sequence],
        given: Callable[[T], Sequence | Line | None] | None = None,
    ) -> Iterable[tuple[T, Outcome[Score]]]:
        """Items in order, each with what gives the score of its sequence, to be called before the next is taken.

        given: what the sequence follows, of which nothing is counted.

        That raises SpiritLMError where the item can't be used, such as what `sequence` raised.
        """


@dataclass(frozen=True)
class Candidate:
    """One thing to be scored. name: in what is written of it; where: in errors; content: it, or its sound."""

    name: str
    where: str
    content: Sequence | Clip


@dataclass(frozen=True)
class Group:
    """What pairs are told apart by, such as their type. place: before name in the order of a table's rows."""

    kind: str
    name: str
    place: int = 0


@dataclass(frozen=True)
class Pair:
    """Two candidates, of which `good` should be the likelier; where a side has several, each meets each of the other.

    source: file and line, for errors. item: what it is a reading of: the readings (voices) of one item in a set
    (dev, test) are averaged before the items are. By default it is an item of its own. given: what all candidates
    follow, and what is not scored.
    """

    id: str
    source: str
    good: tuple[Candidate, ...]
    bad: tuple[Candidate, ...]
    groups: tuple[Group, ...] = ()
    item: str | None = None
    voice: str | None = None
    set: str | None = None
    given: Sequence | Line | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self.good + self.bad


@dataclass(frozen=True)
class Lone:
    """A candidate that is to be scored, and is compared with nothing."""

    id: str
    source: str
    candidate: Candidate
    set: str | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return (self.candidate,)


@dataclass(frozen=True)
class BadPair:
    """A pair that can't be used, and why. id: its own, or its line's number."""

    id: str
    source: str
    error: SpiritLMError
    set: str | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return ()


Entry = Pair | Lone | BadPair


@dataclass(frozen=True)
class Comparison:
    """What a pair gave. good, bad: the scores of each side's candidates.

    by_mean, by_sum: the part of the meetings that the good side wins, a tie counts half, by log-likelihood per
    token and by that of the whole.
    """

    pair: Pair
    good: tuple[Score, ...]
    bad: tuple[Score, ...]
    by_mean: float
    by_sum: float

    @classmethod
    def of(cls, pair: Pair, good: tuple[Score, ...], bad: tuple[Score, ...]) -> "Comparison":
        """Neither side may be empty."""
        meetings = list(product(good, bad))
        by_mean = sum(_won(a.mean, b.mean) for a, b in meetings) / len(meetings)
        by_sum = sum(_won(a.log_likelihood, b.log_likelihood) for a, b in meetings) / len(meetings)
        return cls(pair, good, bad, by_mean, by_sum)

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`. Log-likelihoods are natural logarithms; mean is per token."""
        found: dict[str, Any] = {"id": self.pair.id}
        if self.pair.set is not None:
            found["set"] = self.pair.set
        if self.pair.voice is not None:
            found["voice"] = self.pair.voice
        found |= {group.kind: group.name for group in self.pair.groups}
        for side, candidates, scores in (
            ("good", self.pair.good, self.good),
            ("bad", self.pair.bad, self.bad),
        ):
            found[side] = [
                {"name": candidate.name, **asdict(score), "mean": score.mean}
                for candidate, score in zip(candidates, scores, strict=True)
            ]
        return found | {"by_mean": self.by_mean, "by_sum": self.by_sum}


@dataclass(frozen=True)
class Scored:
    """An entry and the scores of its candidates, or why one has none."""

    entry: Entry
    scores: tuple[Score | SpiritLMError, ...]

    def known(self) -> Iterator[tuple[str, Score]]:
        """The names and scores of the candidates that have one."""
        for candidate, score in zip(self.entry.candidates, self.scores, strict=True):
            if isinstance(score, Score):
                yield candidate.name, score

    def comparison(self) -> Comparison | None:
        """Raises SpiritLMError where a candidate has no score, or the entry can't be used; None for a Lone."""
        if isinstance(self.entry, BadPair):
            raise self.entry.error
        scores: list[Score] = []
        for candidate, score in zip(self.entry.candidates, self.scores, strict=True):
            if isinstance(score, SpiritLMError):
                named = str(score).startswith(f"{candidate.where}:")
                raise score if named else type(score)(f"{candidate.where}: {score}")
            scores.append(score)
        if isinstance(self.entry, Lone):
            return None
        good = len(self.entry.good)
        return Comparison.of(self.entry, tuple(scores[:good]), tuple(scores[good:]))


@dataclass(frozen=True)
class _Piece:
    """A candidate's content on its way; last: of its entry."""

    entry: Entry
    content: Sequence | Clip | SpiritLMError
    last: bool


@dataclass(frozen=True)
class PairTask:
    """`evaluate pairs`, `wuggy` and `blimp`: (clips → units →) sequences → likelihoods → which is likelier.

    tokenizer: needed where there are clips. batch_seconds, workers: see `SpeechTokenizer.encode_stream`.
    """

    scorer: Scorer
    tokenizer: SpeechTokenizer | None = None
    batch_seconds: float | None = None
    workers: int = 2

    @classmethod
    def load(
        cls,
        model: str | None = "nano",
        *,
        sound: bool = False,
        expressive: bool = True,
        device: str = "auto",
        dtype: str | None = None,
        batch_seconds: float | None = None,
        workers: int = 2,
    ) -> "PairTask":
        """sound: whether there will be clips. Raises CheckpointError."""
        tokenizer = SpeechTokenizer.load(model, expressive=expressive, device=device) if sound else None
        lm = LanguageModel.load(model, expressive=expressive, device=device, dtype=dtype)
        return cls(lm, tokenizer, batch_seconds, workers)

    def score_stream(self, entries: Iterable[Entry]) -> Iterator[Scored]:
        """The entries in order; bad ones at the start come before anything is computed.

        Raises ValueError for a clip where there is no tokenizer.
        """
        entries = iter(entries)
        for entry in entries:
            if not isinstance(entry, BadPair):
                entries = chain([entry], entries)
                break
            yield Scored(entry, ())
        pieces = _pieces(entries, sound=self.tokenizer is not None)
        scores: list[Score | SpiritLMError] = []
        for piece, score in self._scores(pieces):
            scores.append(score)
            if piece.last:
                yield Scored(piece.entry, tuple(scores) if piece.entry.candidates else ())
                scores = []

    def _scores(self, pieces: Iterator[_Piece]) -> Iterator[tuple[_Piece, Score | SpiritLMError]]:
        if self.tokenizer is None:
            yield from _scored(self.scorer, pieces)
            return
        with closing(_heard(pieces, self.tokenizer, self.batch_seconds, self.workers)) as heard:
            # A scorer may take its items in a thread, and a thread that is in the midst of the networks' work when
            # the program ends takes it down: so what it is given has been heard in this one.
            while some := list(islice(heard, _HEARD_AT_ONCE)):
                yield from _scored(self.scorer, some)


def _pieces(entries: Iterable[Entry], sound: bool) -> Iterator[_Piece]:
    """The candidates of entries, one after another; an entry without any is one piece too, to keep its place."""
    for entry in entries:
        if not sound and any(isinstance(candidate.content, Clip) for candidate in entry.candidates):
            raise ValueError(f"{entry.id}: clips need a tokenizer")
        if isinstance(entry, BadPair):
            yield _Piece(entry, entry.error, last=True)
        for place, candidate in enumerate(entry.candidates, 1):
            yield _Piece(entry, candidate.content, last=place == len(entry.candidates))


def _heard(
    pieces: Iterable[_Piece], tokenizer: SpeechTokenizer, batch_seconds: float | None, workers: int
) -> Generator[_Piece, None, None]:
    """The pieces in order, clips as sequences of their units."""
    waiting: deque[_Piece] = deque()

    def clips() -> Iterator[Clip]:
        for piece in pieces:
            waiting.append(piece)
            if isinstance(piece.content, Clip):
                yield piece.content

    with closing(tokenizer.encode_stream(clips(), batch_seconds=batch_seconds, workers=workers)) as encoded:
        for clip, units in encoded:
            while (piece := waiting.popleft()).content is not clip:
                yield piece
            try:
                # at once: when the next clip is asked for, this one's units are lost
                sequence = Sequence.of([merge_streams(units.result())])
            except SpiritLMError as error:
                yield replace(piece, content=error)
            else:
                yield replace(piece, content=sequence)
    yield from waiting


def _scored(scorer: Scorer, pieces: Iterable[_Piece]) -> Iterator[tuple[_Piece, Score | SpiritLMError]]:
    """The pieces in order, each with its score, or why it has none."""
    for piece, score in scorer.score_stream(pieces, _sequence, _given):
        try:
            found = score.result()
            if math.isnan(found.log_likelihood):
                raise TokenError("the likelihood is not a number; try --dtype float32")
        except SpiritLMError as error:
            yield piece, error
        else:
            yield piece, found


def _sequence(piece: _Piece) -> Sequence:
    if isinstance(piece.content, SpiritLMError):
        raise piece.content
    assert isinstance(piece.content, Sequence)
    return piece.content


def _given(piece: _Piece) -> Sequence | Line | None:
    return piece.entry.given if isinstance(piece.entry, Pair) else None


def _won(good: float, bad: float) -> float:
    return 0.5 if good == bad else float(good > bad)
