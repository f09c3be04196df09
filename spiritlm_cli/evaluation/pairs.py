"""Pairs of candidates, of which one should be more likely than the other, and their comparison."""

from dataclasses import asdict, dataclass
from itertools import product

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.language.scoring import Score
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.sequence import Line, Sequence


@dataclass(frozen=True)
class JoinedClips:
    """Two clips whose samples are joined before they are tokenized. The units of the first one are context."""

    id: str
    given: Clip
    clip: Clip


@dataclass(frozen=True)
class Candidate:
    """A sequence to be scored, or a clip whose units are.

    name: how outputs refer to it; source: how errors refer to it, such as file and line. said: the words or phones of a
    clip, if they are known.
    """

    name: str
    source: str
    content: Sequence | Clip | JoinedClips
    said: str | None = None


@dataclass(frozen=True)
class Group:
    """A category that accuracies are reported for, such as the type "agreement".

    rank: position among the groups of a kind in a report, before the name.
    """

    kind: str
    name: str
    rank: int = 0


@dataclass(frozen=True)
class Pair:
    """Good candidates, which should be more likely, and bad ones; each good one is compared with each bad one.

    source: file and line, for errors. item: what the pair is a reading of; the readings (voices) of an item in a set
    (dev, test) are averaged before items are. None: the pair is an item of its own. given: context of all candidates.
    """

    id: str
    source: str
    good: tuple[Candidate, ...]
    bad: tuple[Candidate, ...]
    groups: tuple[Group, ...] = ()
    item: str | None = None
    voice: str | None = None
    set: str | None = None
    given: Sequence | Line | Clip | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Good candidates, then bad ones."""
        return self.good + self.bad


@dataclass(frozen=True)
class Unpaired:
    """A candidate that is scored and not compared."""

    id: str
    source: str
    candidate: Candidate
    set: str | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidate."""
        return (self.candidate,)


@dataclass(frozen=True)
class BadPair:
    """A pair that can't be used, and the reason. id: its id, or `line N` if it has none."""

    id: str
    source: str
    error: SpiritLMError
    set: str | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Nothing."""
        return ()


Entry = Pair | Unpaired | BadPair


@dataclass(frozen=True)
class Comparison:
    """Result of a pair: the scores of its candidates, and the fraction of comparisons that the good side wins.

    by_mean compares log-likelihoods per token, by_sum those of whole sequences; a tie counts 0.5.
    """

    pair: Pair
    good: tuple[Score, ...]
    bad: tuple[Score, ...]
    by_mean: float
    by_sum: float

    @classmethod
    def of(cls, pair: Pair, good: tuple[Score, ...], bad: tuple[Score, ...]) -> "Comparison":
        """Compare each good score with each bad one; there must be one of each at least."""
        combinations = list(product(good, bad))
        by_mean = sum(_win(a.mean, b.mean) for a, b in combinations) / len(combinations)
        by_sum = sum(_win(a.log_likelihood, b.log_likelihood) for a, b in combinations) / len(combinations)
        return cls(pair, good, bad, by_mean, by_sum)

    def to_record(self) -> Record:
        """Return what is known of the pair; log-likelihoods are natural logarithms, `mean` is per token."""
        groups = [asdict(group) for group in self.pair.groups]
        return {
            "set": self.pair.set,
            "item": self.pair.item,
            "voice": self.pair.voice,
            "groups": groups,
            "good": list(map(_scored, self.pair.good, self.good)),
            "bad": list(map(_scored, self.pair.bad, self.bad)),
            "by_mean": self.by_mean,
            "by_sum": self.by_sum,
        }


@dataclass(frozen=True)
class ScoredEntry:
    """An entry and the outcome of scoring each of its candidates."""

    entry: Entry
    scores: tuple[Outcome[Score], ...]

    def to_record(self) -> Record:
        """Return the record of the entry; that of an `Unpaired` has one score, and nothing is compared.

        Raises SpiritLMError as `comparison`.
        """
        comparison = self.comparison()
        if comparison:
            return comparison.to_record()
        scored = [_scored(self.entry.candidates[0], self.scores[0].result())]
        return {"set": self.entry.set, "good": scored, "bad": []}

    def comparison(self) -> Comparison | None:
        """Compare the sides of a pair; None for an `Unpaired`.

        Raises SpiritLMError, with the candidate's source, if a candidate has no score, or the error of a `BadPair`.
        """
        if isinstance(self.entry, BadPair):
            raise self.entry.error
        scores: list[Score] = []
        for candidate, score in zip(self.entry.candidates, self.scores, strict=True):
            try:
                scores.append(score.result())
            except SpiritLMError as error:
                if str(error).startswith(f"{candidate.source}:"):
                    raise
                raise type(error)(f"{candidate.source}: {error}") from error
        if isinstance(self.entry, Unpaired):
            return None
        count = len(self.entry.good)
        return Comparison.of(self.entry, tuple(scores[:count]), tuple(scores[count:]))


def _win(good: float, bad: float) -> float:
    return 0.5 if good == bad else float(good > bad)


def _scored(candidate: Candidate, score: Score) -> Record:
    return {
        "name": candidate.name,
        **({"said": candidate.said} if candidate.said else {}),
        "log_likelihood": score.log_likelihood,
        "tokens": score.tokens,
        "mean": score.mean,
    }
