"""How the next token is drawn."""

import hashlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Tokens that are put in order first, in the hope that they reach top_p: to sort a whole vocabulary takes longer.
_HEAD = 256
_MOST = 200


@dataclass(frozen=True)
class Sampling:
    """How a continuation is drawn, and what ends it beside the model.

    temperature: divides the logits. top_p: draw from the likeliest tokens that together reach this
    probability. top_k: draw from this many of the likeliest; 0 is all. min_p: draw from tokens at least this many
    times as likely as the likeliest (arXiv 2407.01082). repetition_penalty: logits of tokens
    seen before are divided by it where positive and multiplied where negative (as transformers does, after
    CTRL, arXiv 1909.05858); 1 is none. greedy: take the likeliest, draw nothing. seed: the same gives the same.

    max_new_tokens: the most that are added (None: 200; any number where speech alone is added and seconds are given).
    stop: where its text comes to one of these, the continuation ends before it. stop_units: so it does where its speech
    comes to these phonetic units, of which nearly a third may differ: a spoken word. sentence: it ends after a sentence
    of text. one_span: it ends where another span would begin. max_seconds: the most speech that is added; min_seconds:
    before so much, it can't end (None: any); of what is text alone, they say nothing.

    Raises ValueError that names the field that is out of its range.
    """

    temperature: float = 0.9
    top_p: float = 0.95
    top_k: int = 0
    repetition_penalty: float = 1.0
    greedy: bool = False
    max_new_tokens: int | None = None
    seed: int = 0
    min_p: float = 0.0
    stop: tuple[str, ...] = ()
    stop_units: tuple[int, ...] = ()
    sentence: bool = False
    one_span: bool = False
    max_seconds: float | None = None
    min_seconds: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ValueError(
                f"temperature must be above 0 (greedy takes the likeliest) and finite, not {self.temperature}"
            )
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p must be from 0 to 1, not {self.min_p}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (all) or more, not {self.top_k}")
        if not 0 < self.repetition_penalty < math.inf:
            raise ValueError(f"repetition_penalty must be above 0 and finite, not {self.repetition_penalty}")
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be 1 or more, not {self.max_new_tokens}")
        if not all(self.stop):
            raise ValueError("stop can't be an empty text")
        for name in ("max_seconds", "min_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds < math.inf:
                raise ValueError(f"{name} must be above 0, not {seconds}")
        if self.timed and (self.min_seconds or 0) > (self.max_seconds or math.inf):
            raise ValueError(f"min_seconds, {self.min_seconds}, is more than max_seconds, {self.max_seconds}")

    @property
    def timed(self) -> bool:
        """Whether it matters how long speech is."""
        return self.max_seconds is not None or self.min_seconds is not None

    def most_tokens(self, speech_alone: bool) -> int:
        """The most that are added, of speech alone or not."""
        if self.max_new_tokens is not None:
            return self.max_new_tokens
        return sys.maxsize if speech_alone and self.timed else _MOST


def line_generator(seed: int, key: str) -> torch.Generator:
    """The random numbers of one line: they depend on the seed and the line's key, not on other lines."""
    digest = hashlib.blake2b(f"{seed} {key}".encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))


def next_tokens(
    logits: Tensor,
    allowed: Tensor,
    seen: Sequence[Sequence[int]],
    sampling: Sampling,
    generators: Sequence[torch.Generator],
) -> list[int]:
    """Draw one token for each row; what is drawn does not depend on the other rows.

    logits: (rows, vocabulary) float32. allowed: (rows, vocabulary) bool, on the same device, at least one True in
    each. seen: the ids before it, of each row; they matter to the repetition penalty alone. generators: one a row,
    on the CPU; each gives one number, or none where sampling is greedy.
    """
    if sampling.repetition_penalty != 1:
        logits = torch.stack(
            [_penalised(row, ids, sampling.repetition_penalty) for row, ids in zip(logits, seen, strict=True)]
        )
    logits = logits.masked_fill(~allowed, -torch.inf)
    if sampling.greedy:
        tokens = logits.argmax(-1)
    else:
        drawn = torch.stack([torch.rand((), generator=generator) for generator in generators])
        probabilities = (logits / sampling.temperature).softmax(-1)
        tokens = _drawn(probabilities, drawn.to(logits.device), sampling)
    return list(tokens.tolist())


def _drawn(probabilities: Tensor, drawn: Tensor, sampling: Sampling) -> Tensor:
    """(rows,) tokens. probabilities: (rows, vocabulary); drawn: (rows,) numbers from 0 to 1, below 1."""
    if not sampling.top_k and sampling.top_p == 1 and not sampling.min_p:
        # all of them, in any order
        return _places(probabilities, torch.ones_like(probabilities, dtype=torch.bool), drawn)
    head, ids = probabilities.topk(min(sampling.top_k or _HEAD, probabilities.shape[1]))
    kept = _kept(head, sampling)
    tokens = ids.gather(-1, _places(head, kept, drawn)[:, None])[:, 0]
    if not sampling.top_k and head.shape[1] < probabilities.shape[1]:
        for place in kept[:, -1].nonzero()[:, 0].tolist():
            # those that follow may have to be kept too
            head, ids = probabilities[place : place + 1].sort(descending=True, stable=True)
            tokens[place] = ids[0, _places(head, _kept(head, sampling), drawn[place : place + 1])]
    return tokens


def _kept(head: Tensor, sampling: Sampling) -> Tensor:
    """Which tokens may be drawn, (rows, tokens) bool: the first ones, at least one. head: probabilities, the largest
    first."""
    if sampling.top_k:
        head = head / head.sum(-1, keepdim=True)
    # kept as long as those before fall short of top_p, so the likeliest always is
    short = head.cumsum(-1) - head < sampling.top_p
    return short & (head >= sampling.min_p * head[:, :1]) if sampling.min_p else short


def _places(probabilities: Tensor, kept: Tensor, drawn: Tensor) -> Tensor:
    """The place of a token in each row, (rows,). probabilities and kept: (rows, tokens); drawn: (rows,), below 1."""
    reached = (probabilities * kept).cumsum(-1)
    whole = reached[:, -1:]
    # below the whole even when rounded: so a token is found, and one that has a probability
    threshold = torch.minimum(drawn[:, None] * whole, whole.nextafter(-whole))
    return torch.searchsorted(reached, threshold, right=True)[:, 0]


def _penalised(logits: Tensor, seen: Sequence[int], penalty: float) -> Tensor:
    ids = torch.tensor(seen, dtype=torch.int64, device=logits.device)
    found = logits[ids]
    return logits.index_put((ids,), found * torch.where(found > 0, 1 / penalty, penalty))
