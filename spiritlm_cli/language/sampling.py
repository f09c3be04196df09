"""How the next token is drawn."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How a continuation is drawn.

    temperature: divides the logits. top_p: draw from the likeliest tokens that together reach this
    probability. top_k: draw from this many of the likeliest; 0 is all. repetition_penalty: logits of tokens
    seen before are divided by it where positive and multiplied where negative (as transformers does, after
    CTRL, arXiv 1909.05858); 1 is none. greedy: take the likeliest, draw nothing. max_new_tokens: the most
    that are added. seed: the same gives the same.

    Raises ValueError that names the field that is out of its range.
    """

    temperature: float = 0.9
    top_p: float = 0.95
    top_k: int = 0
    repetition_penalty: float = 1.0
    greedy: bool = False
    max_new_tokens: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(
                f"temperature must be above 0 (greedy takes the likeliest), not {self.temperature}"
            )
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (all) or more, not {self.top_k}")
        if not self.repetition_penalty > 0:
            raise ValueError(f"repetition_penalty must be above 0, not {self.repetition_penalty}")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be 1 or more, not {self.max_new_tokens}")


def line_generator(seed: int, key: str) -> torch.Generator:
    """The random numbers of one line: they depend on the seed and the line's key, not on other lines."""
    digest = hashlib.blake2b(f"{seed} {key}".encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))


def next_token(
    logits: Tensor, allowed: Tensor, seen: Tensor, sampling: Sampling, generator: torch.Generator
) -> int:
    """Draw one token.

    logits: (vocabulary,) float32 on the CPU. allowed: (vocabulary,) bool, at least one True.
    seen: (tokens,) int64, the ids before it.
    """
    if sampling.repetition_penalty != 1:
        penalised = logits[seen]
        factor = torch.where(penalised > 0, 1 / sampling.repetition_penalty, sampling.repetition_penalty)
        logits = logits.index_put((seen,), penalised * factor)
    logits = logits.masked_fill(~allowed, -torch.inf)
    if sampling.greedy:
        return int(logits.argmax())
    probabilities, ids = (logits / sampling.temperature).softmax(-1).sort(descending=True, stable=True)
    if sampling.top_k:
        probabilities = probabilities[: sampling.top_k] / probabilities[: sampling.top_k].sum()
    reached = probabilities.cumsum(-1)
    # kept as long as those before fall short of top_p, so the likeliest always is
    kept = int((reached - probabilities < sampling.top_p).sum())
    threshold = torch.rand((), generator=generator) * reached[kept - 1]
    return int(ids[torch.searchsorted(reached[:kept], threshold, right=True).clamp(max=kept - 1)])
