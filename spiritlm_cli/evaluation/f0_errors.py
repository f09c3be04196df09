"""Errors of F0 (pitch) between two versions of one clip.

Sources: Nakatani et al. 2008 (gross pitch error, voicing decision error), Chu and Alwan 2009, "Reducing F0 frame error
of F0 tracking algorithms under noisy conditions" (F0 frame error).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A frame that is voiced in both is a gross error if its F0 differs by more than this share of the reference's.
GROSS_ERROR = 0.2

F0Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class F0Errors:
    """Counts of frames, and correlations over the frames that are voiced in both.

    frames: all; voiced: voiced in both; gross: of these, with more than 20 % of difference; voicing: voiced in one
    only.
    log_correlation, hertz_correlation: Pearson's r of log F0 and of F0; None if there are fewer than two voiced frames,
    or F0 is constant.
    """

    frames: int
    voiced: int
    gross: int
    voicing: int
    log_correlation: float | None
    hertz_correlation: float | None

    @classmethod
    def compare(cls, reference: F0Array, other: F0Array) -> "F0Errors":
        """Compare frame by frame up to the end of the shorter. reference, other: (frames,) Hz, 0 where unvoiced."""
        frames = min(len(reference), len(other))
        f, g = reference[:frames].astype(np.float64), other[:frames].astype(np.float64)
        both = (f > 0) & (g > 0)
        f_voiced, g_voiced = f[both], g[both]
        return cls(
            frames=frames,
            voiced=int(both.sum()),
            gross=int((np.abs(g_voiced / f_voiced - 1) > GROSS_ERROR).sum()),
            voicing=int(((f > 0) != (g > 0)).sum()),
            log_correlation=_correlation(np.log(f_voiced), np.log(g_voiced)),
            hertz_correlation=_correlation(f_voiced, g_voiced),
        )

    @property
    def gpe(self) -> float | None:
        """Gross pitch error: gross errors / frames voiced in both; None if there are none of these."""
        return self.gross / self.voiced if self.voiced else None

    @property
    def vde(self) -> float | None:
        """Voicing decision error: voicing errors / frames."""
        return self.voicing / self.frames if self.frames else None

    @property
    def ffe(self) -> float | None:
        """F0 frame error: (gross errors + voicing errors) / frames."""
        return (self.gross + self.voicing) / self.frames if self.frames else None


def _correlation(x: F0Array, y: F0Array) -> float | None:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])
