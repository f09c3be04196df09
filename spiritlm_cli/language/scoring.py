"""Log-likelihoods of sequences under the language model."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch

from spiritlm_cli.errors import TokenError
from spiritlm_cli.language.network import Network
from spiritlm_cli.language.token_scores import TokenScores
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.nn.device import check_finite
from spiritlm_cli.tokens.sequence import Line, Sequence


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
class ScoredIds:
    """Token ids to score.

    ids: the start token, if there is one, and what follows it. context: number of leading ids that are not scored, at
    least 1: nothing predicts the first id.
    """

    ids: list[int]
    context: int

    @classmethod
    def encode(cls, sequence: Sequence, given: Sequence | Line | None, vocabulary: Vocabulary) -> "ScoredIds":
        """Convert a sequence and the context before it.

        Raises TokenError for a unit or text not in the vocabulary, and if there is no id at all.
        """
        line = given if isinstance(given, Line) else Line(given or Sequence())
        context, scored = vocabulary.encode_continuation(line, sequence)
        if not context and not scored:
            raise TokenError("an empty sequence can't be scored by a language model without a start token")
        return cls([*context, *scored], max(1, len(context)))

    def check_length(self, context_length: int) -> None:
        """Raise TokenError if there are more ids than `context_length`."""
        if len(self.ids) > context_length:
            raise TokenError(
                f"the sequence has {len(self.ids)} tokens; the model's context is {context_length}"
            )


@dataclass(frozen=True)
class NextTokens:
    """Tokens of which each may come next: the answers to a multiple-choice question that are one token long.

    ids: the context, at least one id. candidates: the tokens to score after it.
    """

    ids: list[int]
    candidates: tuple[int, ...]


@torch.inference_mode()
def score_batch(network: Network[Any], batch: Collection[ScoredIds]) -> list[Score]:
    """Score several sequences in one pass."""
    scores = network.score_tokens(
        [torch.tensor(scored.ids, device=network.device) for scored in batch],
        [scored.context for scored in batch],
    )
    check_finite([part.log_probabilities for part in scores])
    return [_total(part) for part in scores]


@torch.inference_mode()
def score_candidates(network: Network[Any], batch: Collection[NextTokens]) -> list[tuple[Score, ...]]:
    """Score the candidates of several contexts in one pass, which reads each context once."""
    contexts = [torch.tensor(item.ids, device=network.device) for item in batch]
    logits = network.next_logits(contexts, [network.new_cache() for _ in contexts])
    check_finite([logits])
    results = []
    for row, item in zip(logits, batch, strict=True):
        candidates = torch.tensor(item.candidates, device=row.device)
        scores = TokenScores.of(row.expand(len(candidates), -1), candidates)
        results.append(tuple(map(_total, scores.split([1] * len(candidates)))))
    return results


def _total(scores: TokenScores) -> Score:
    """Sum the scores of the tokens of a sequence."""
    log_likelihood = scores.log_probabilities.double().sum().item()
    return Score(log_likelihood, len(scores.greedy), bool(scores.greedy.all()))
