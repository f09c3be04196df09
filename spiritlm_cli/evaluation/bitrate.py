"""How many bits a second units take, and how much of a codebook they use."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def nominal_bitrate(streams: Iterable[tuple[int, float]]) -> float:
    """Bits a second of streams with a fixed code: Σ ⌈log₂ size⌉ · rate.

    streams: size of the codebook, and units per second. The Spirit LM paper (arXiv 2402.05755, table 9) writes
    log₂(size) · rate, and prints 225 for Base and 307 for Expressive, which only the rounded bits give.
    """
    return sum(math.ceil(math.log2(size)) * rate for size, rate in streams)


def entropy_bits(counts: NDArray[np.number[Any]]) -> float:
    """Entropy of a distribution in bits. counts: (units,), how often each occurs; 0 if none does."""
    seen = counts[counts > 0]
    shares = seen / seen.sum() if len(seen) else seen
    return float((shares * np.log2(1 / shares)).sum())


def entropy_bitrate(counts: NDArray[np.number[Any]], seconds: float) -> float:
    """Bits a second of units with the best code of their frequencies: n / D · H.

    counts: (units,), how often each occurs in all clips, n in sum. seconds: D, length of all clips. The measure of the
    ZeroSpeech challenges of 2019 and 2020 (from memory of the authors, not checked against the source).
    """
    return float(counts.sum()) / seconds * entropy_bits(counts)


def perplexity(counts: NDArray[np.number[Any]]) -> float:
    """2 ** entropy: the number of units that a codebook in equal use would have."""
    return float(2 ** entropy_bits(counts))
