"""DNSMOS: the quality of speech as listeners would rate it, estimated by a network.

Source: Reddy et al. 2022, "DNSMOS P.835" (arXiv 2110.01763). The networks are in the package speechmos.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.windows import SAMPLE_RATE, check_samples
from spiritlm_cli.third_party import needs_extra


@dataclass(frozen=True)
class Quality:
    """Mean opinion scores from 1 to 5: overall, of the speech, of the background (P.835), and overall (P.808)."""

    overall: float
    speech: float
    background: float
    p808: float


def describe_quality() -> str:
    """How a result names the networks: `speechmos 0.0.1.1`. Raises MissingPackageError without speechmos."""
    with needs_extra("speechmos", extra="quality", purpose="DNSMOS"):
        return f"speechmos {version('speechmos')}"


class QualityEstimator:
    """Estimates the quality of clips with DNSMOS."""

    def __init__(self) -> None:
        """Load the networks. Raises MissingPackageError without speechmos."""
        with needs_extra("speechmos", extra="quality", purpose="DNSMOS"):
            from speechmos import dnsmos
        self._run: Callable[..., dict[str, Any]] = dnsmos.run

    def __call__(self, waveform: Waveform) -> Quality:
        """A shorter clip than 9 s is repeated; a longer one has the mean of windows of 9 s, one a second.

        waveform: at 16 kHz. Raises AudioError as `check_samples` does.
        """
        samples = check_samples(waveform, SAMPLE_RATE)
        scores = self._run(np.clip(samples, -1, 1), SAMPLE_RATE)
        names = ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")
        return Quality(*(float(scores[name]) for name in names))
