"""Sampling options, and drawing the next token from logits."""

import hashlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Number of tokens sorted first. They nearly always reach top_p, and sorting the whole vocabulary is slower.
_HEAD = 256
_DEFAULT_MAX_NEW_TOKENS = 200


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn, and what ends a continuation apart from the model's own end of sequence.

    temperature: divides the logits. top_p: keep the most probable tokens that together reach this probability. top_k:
    keep this many of the most probable tokens; 0 keeps all. min_p: keep tokens with p ≥ min_p × p_max (arXiv
    2407.01082). repetition_penalty: divides the positive logits of tokens already in the sequence and multiplies the
    negative ones (CTRL, arXiv 1909.05858, as transformers implements it); 1 disables it. greedy: take the most
    probable token and draw nothing. seed: equal seeds draw equal tokens.

    max_new_tokens: limit on generated tokens; None is 200, or no limit for speech-only output with a limit in seconds.
    stop: texts that end the continuation, which does not include them. stop_units: phonetic ids of a spoken word that
    does the same; up to 30 % of them may differ. sentence: stop after one sentence of text. one_span: stop where a
    second span would begin. max_seconds: limit on generated speech. min_seconds: suppress end-of-sequence until this
    much speech. Both are ignored for text.

    Raises ValueError that names the field whose value is out of range.
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
                f"temperature must be above 0 (greedy takes the most probable token) and finite, not "
                f"{self.temperature}"
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
        if self.limits_seconds and (self.min_seconds or 0) > (self.max_seconds or math.inf):
            raise ValueError(f"min_seconds, {self.min_seconds}, is more than max_seconds, {self.max_seconds}")

    @property
    def limits_seconds(self) -> bool:
        """Whether the duration of the generated speech has to be measured."""
        return self.max_seconds is not None or self.min_seconds is not None

    def token_limit(self, speech_only: bool) -> int:
        """Maximum number of generated tokens. speech_only: whether the output is speech alone."""
        if self.max_new_tokens is not None:
            return self.max_new_tokens
        return sys.maxsize if speech_only and self.limits_seconds else _DEFAULT_MAX_NEW_TOKENS


def keyed_generator(seed: int, key: str) -> torch.Generator:
    """Create the random generator of one line, on the CPU. It depends on the seed and the line's key alone."""
    digest = hashlib.blake2b(f"{seed} {key}".encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))


def sample_tokens(
    logits: Tensor,
    allowed: Tensor,
    histories: Sequence[Sequence[int]],
    samplings: Sequence[Sampling],
    generators: Sequence[torch.Generator],
) -> list[int]:
    """Draw one token for each row, with the row's own options. No row affects the token of another.

    logits: (rows, vocab_size) float32. allowed: (rows, vocab_size) bool on the same device, at least one True in each
    row. histories: the ids before the new token, for the repetition penalty. generators: CPU generators, one a row;
    each advances by one number, or not at all if the row is greedy.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for row, sampling in enumerate(samplings):
        groups.setdefault(_drawing_options(sampling), []).append(row)
    tokens = [0] * len(samplings)
    for rows in groups.values():
        # one group, the ordinary case, needs no copies
        index = slice(None) if len(groups) == 1 else torch.tensor(rows, device=logits.device)
        drawn = _sample_group(
            logits[index],
            allowed[index],
            [histories[row] for row in rows],
            samplings[rows[0]],
            [generators[row] for row in rows],
        )
        for row, token in zip(rows, drawn, strict=True):
            tokens[row] = token
    return tokens


def _drawing_options(sampling: Sampling) -> tuple[object, ...]:
    """The fields that `_sample_group` uses: rows that have them in common are drawn together."""
    if sampling.greedy:
        return (sampling.repetition_penalty,)
    return (
        sampling.repetition_penalty,
        sampling.temperature,
        sampling.top_p,
        sampling.top_k,
        sampling.min_p,
    )


def _sample_group(
    logits: Tensor,
    allowed: Tensor,
    histories: Sequence[Sequence[int]],
    sampling: Sampling,
    generators: Sequence[torch.Generator],
) -> list[int]:
    """Draw one token for each row with the same options; arguments as in `sample_tokens`."""
    if sampling.repetition_penalty != 1:
        penalized = [
            _penalize(row, ids, sampling.repetition_penalty)
            for row, ids in zip(logits, histories, strict=True)
        ]
        logits = torch.stack(penalized)
    logits = logits.masked_fill(~allowed, -torch.inf)
    if sampling.greedy:
        tokens = logits.argmax(-1)
    else:
        uniform = torch.stack([torch.rand((), generator=generator) for generator in generators])
        probabilities = (logits / sampling.temperature).softmax(-1)
        tokens = _draw(probabilities, uniform.to(logits.device), sampling)
    return list(tokens.tolist())


def _draw(probabilities: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """Draw by the inverse of the cumulative distribution, within top_k, top_p and min_p.

    probabilities: (rows, vocab_size). uniform: (rows,) in [0, 1). Returns (rows,) int64 token ids.
    """
    if not sampling.top_k and sampling.top_p == 1 and not sampling.min_p:
        return _invert_cdf(probabilities, torch.ones_like(probabilities, dtype=torch.bool), uniform)
    head, ids = probabilities.topk(min(sampling.top_k or _HEAD, probabilities.shape[1]))
    kept = _keep_mask(head, sampling)
    tokens = ids.gather(-1, _invert_cdf(head, kept, uniform)[:, None])[:, 0]
    if not sampling.top_k and head.shape[1] < probabilities.shape[1]:
        # the head may be too short for rows of which it is kept to its end
        for row in kept[:, -1].nonzero()[:, 0].tolist():
            head, ids = probabilities[row : row + 1].sort(descending=True, stable=True)
            tokens[row] = ids[0, _invert_cdf(head, _keep_mask(head, sampling), uniform[row : row + 1])]
    return tokens


def _keep_mask(head: Tensor, sampling: Sampling) -> Tensor:
    """Mask of the tokens that top_p and min_p keep, in each row a prefix of one token or more.

    head: (rows, tokens) probabilities in descending order. Returns (rows, tokens) bool.
    """
    if sampling.top_k:
        head = head / head.sum(-1, keepdim=True)
    # a token is kept while those before it fall short of top_p, so the first always is
    below_top_p = head.cumsum(-1) - head < sampling.top_p
    return below_top_p & (head >= sampling.min_p * head[:, :1]) if sampling.min_p else below_top_p


def _invert_cdf(probabilities: Tensor, kept: Tensor, uniform: Tensor) -> Tensor:
    """Index of the drawn column in each row, (rows,). probabilities, kept: (rows, tokens); uniform: (rows,)."""
    cumulative = (probabilities * kept).cumsum(-1)
    total = cumulative[:, -1:]
    # below the total even after rounding, so that the result is a token with a probability above 0
    threshold = torch.minimum(uniform[:, None] * total, total.nextafter(-total))
    return torch.searchsorted(cumulative, threshold, right=True)[:, 0]


def _penalize(logits: Tensor, history: Sequence[int], penalty: float) -> Tensor:
    """Apply the repetition penalty. logits: (vocab_size,); a token that occurs twice is penalized once."""
    ids = torch.tensor(history, dtype=torch.int64, device=logits.device)
    repeated = logits[ids]
    return logits.index_put((ids,), repeated * torch.where(repeated > 0, 1 / penalty, penalty))
