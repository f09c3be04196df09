"""Probabilities of the tokens of a sequence, computed from logits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class TokenScores:
    """How likely each token of a sequence is after the tokens before it.

    log_probabilities: (..., tokens) float32, natural logarithms. greedy: (..., tokens) bool, whether a token is the
    most likely one.
    """

    log_probabilities: Tensor
    greedy: Tensor

    @classmethod
    def of(cls, logits: Tensor, targets: Tensor) -> "TokenScores":
        """Score one token at each position. logits: (..., tokens, vocab_size) float32. targets: (..., tokens) int64."""
        losses = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none")
        return cls(-losses.view(targets.shape), logits.argmax(-1) == targets)

    @classmethod
    def join(cls, parts: Sequence["TokenScores"]) -> "TokenScores":
        """Concatenate the scores of successive tokens, of one part or more."""
        return cls(
            torch.cat([part.log_probabilities for part in parts], dim=-1),
            torch.cat([part.greedy for part in parts], dim=-1),
        )

    def split(self, counts: list[int]) -> list["TokenScores"]:
        """Divide (tokens,) scores into parts of `counts` tokens."""
        parts = (torch.split(self.log_probabilities, counts), torch.split(self.greedy, counts))
        return [TokenScores(*part) for part in zip(*parts, strict=True)]

    def keep(self, kept: Sequence[bool] | None) -> "TokenScores":
        """Keep some of (tokens,) scores. kept: whether to keep each; None: all."""
        if kept is None:
            return self
        mask = torch.tensor(kept, device=self.greedy.device)
        return TokenScores(self.log_probabilities[mask], self.greedy[mask])

    def last(self, row: int, count: int) -> "TokenScores":
        """The last `count` tokens of a row of (rows, tokens) scores."""
        start = self.greedy.shape[1] - count
        return TokenScores(self.log_probabilities[row, start:], self.greedy[row, start:])
