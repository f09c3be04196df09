"""Log-likelihoods of sequences under the language model."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.network import Network
from spiritlm_cli.language.token_scores import TokenScores
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.nn.device import check_finite
from spiritlm_cli.tokens.sequence import Line, Sequence, modality
from spiritlm_cli.tokens.units import Kind


@dataclass(frozen=True)
class Score:
    """Log-likelihood of a sequence.

    log_likelihood: sum of natural logarithms over the scored tokens. tokens: their number; tokens of the context are
    not scored. greedy: whether each of them is the most likely token, as greedy decoding would choose.
    """

    log_likelihood: float
    tokens: int
    greedy: bool = False

    @property
    def mean(self) -> float:
        """Log-likelihood per token; 0 without tokens."""
        return self.log_likelihood / self.tokens if self.tokens else 0.0


@dataclass(frozen=True)
class CountedTokens:
    """Which tokens a score counts; those that it does not count are read as context.

    marker: the marker that opens the sequence, unless the context has opened it; if `context` is set, also the marker
    that opens the context. context: the tokens of the context, besides those of the sequence. prosody: pitch and style
    units, besides phonetic units and text.
    """

    marker: bool = True
    context: bool = False
    prosody: bool = True


@dataclass(frozen=True)
class ScoredIds:
    """Token ids to score.

    ids: the start token, if there is one, and what follows it. context: number of leading ids that are not scored, at
    least 1: nothing predicts the first id. counted: for each id after those, whether the score counts it; None: all.
    """

    ids: list[int]
    context: int
    counted: tuple[bool, ...] | None = None

    @classmethod
    def encode(
        cls,
        sequence: Sequence,
        given: Sequence | Line | None,
        vocabulary: Vocabulary,
        counted: CountedTokens | None = None,
    ) -> "ScoredIds":
        """Convert a sequence and the context before it. counted: None counts all tokens of the sequence.

        Raises TokenError for a unit or text not in the vocabulary, and if there is no id at all or none is counted.
        """
        counted = counted or CountedTokens()
        line = given if isinstance(given, Line) else Line(given or Sequence())
        if sequence.spans and not counted.marker:
            line = Line(line.sequence, opens=modality(sequence.spans[0]))
        context, scored = vocabulary.encode_continuation(line, sequence)
        ids = [*context, *scored]
        if not ids:
            raise TokenError("an empty sequence can't be scored by a language model without a start token")
        start = vocabulary.start_length
        first = max(1, start if counted.context else len(context))
        # Both may be the markers that open the context and the sequence.
        given_markers = () if counted.marker else (start, len(context) - 1)
        mask = tuple(
            not (index in given_markers and token in vocabulary.marker_ids.values())
            and (counted.prosody or not _is_prosody(token, vocabulary))
            for index, token in enumerate(ids[first:], first)
        )
        if sequence.spans and not any(mask):
            raise TokenError("the sequence has no token that counts")
        return cls(ids, first, None if all(mask) else mask)

    @property
    def size(self) -> int:
        """Number of ids that the network reads."""
        return len(self.ids)

    def check_length(self, context_length: int) -> None:
        """Raise TokenError if there are more ids than `context_length`."""
        if len(self.ids) > context_length:
            raise TokenError(
                f"the sequence has {len(self.ids)} tokens; the model's context is {context_length}"
            )


@dataclass(frozen=True)
class ScoredChoices:
    """Continuations of a context, of which each is scored: the answers to a multiple-choice question.

    context: at least one id. continuations: the ids of each, at least one.
    """

    context: list[int]
    continuations: tuple[tuple[int, ...], ...]

    @property
    def one_token(self) -> bool:
        """Whether each continuation is one token, so that the context needs to be read only once."""
        return all(len(ids) == 1 for ids in self.continuations)

    @property
    def size(self) -> int:
        """Number of ids that the network reads."""
        if self.one_token:
            return len(self.context)
        return sum(len(self.context) + len(ids) for ids in self.continuations)

    def check_length(self, context_length: int) -> None:
        """Raise TokenError if the context and a continuation together have more ids than `context_length`."""
        longest = max(self.continuations, key=len, default=())
        ScoredIds([*self.context, *longest], 1).check_length(context_length)


@torch.inference_mode()
def score_tokens(network: Network[Any], batch: Collection[ScoredIds]) -> list[TokenScores]:
    """Score each token of several sequences in one pass."""
    scores = network.score_tokens(
        [torch.tensor(scored.ids, device=network.device) for scored in batch],
        [scored.context for scored in batch],
    )
    check_finite([part.log_probabilities for part in scores])
    return scores


def score_batch(network: Network[Any], batch: Collection[ScoredIds]) -> list[Score]:
    """Score several sequences in one pass."""
    scores = score_tokens(network, batch)
    return [_total(part.keep(scored.counted)) for part, scored in zip(scores, batch, strict=True)]


def score_choices(network: Network[Any], batch: Collection[ScoredChoices]) -> list[tuple[Score, ...]]:
    """Score the continuations of several contexts, in one pass those of one token, in one pass all others."""
    one_token = iter(_score_next_tokens(network, [item for item in batch if item.one_token]))
    longer = [
        ScoredIds([*item.context, *ids], len(item.context))
        for item in batch
        if not item.one_token
        for ids in item.continuations
    ]
    scores = iter(score_batch(network, longer) if longer else ())
    return [
        next(one_token) if item.one_token else tuple(islice(scores, len(item.continuations)))
        for item in batch
    ]


@torch.inference_mode()
def _score_next_tokens(network: Network[Any], batch: Collection[ScoredChoices]) -> list[tuple[Score, ...]]:
    """Score continuations of one token each, reading each context once."""
    if not batch:
        return []
    contexts = [torch.tensor(item.context, device=network.device) for item in batch]
    logits = network.next_logits(contexts, [network.new_cache() for _ in contexts])
    check_finite([logits])
    results = []
    for row, item in zip(logits, batch, strict=True):
        tokens = torch.tensor(item.continuations, device=row.device).flatten()
        scores = TokenScores.of(row.expand(len(tokens), -1), tokens)
        results.append(tuple(map(_total, scores.split([1] * len(tokens)))))
    return results


def _total(scores: TokenScores) -> Score:
    """Sum the scores of the tokens of a sequence."""
    log_likelihood = scores.log_probabilities.double().sum().item()
    return Score(log_likelihood, len(scores.greedy), bool(scores.greedy.all()))


def _is_prosody(token: int, vocabulary: Vocabulary) -> bool:
    return vocabulary.modality(token) == "speech" and vocabulary.unit(token).kind is not Kind.HUBERT
