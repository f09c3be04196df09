"""The level of sound in frames, and which of them are silent."""

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.manifests.clip import Waveform

# The level of digital silence in dB, instead of minus infinity.
LOWEST = -120.0
# Levels of silent frames in dB: relative to the loud frames of the clip, and to full scale.
BELOW_LOUD = 25.0
ALWAYS_SILENT = -80.0


def frame_levels(waveform: Waveform, seconds: float) -> NDArray[np.float64]:
    """Return the mean power of each frame of `seconds`, in dB; full scale is 0, digital silence -120.

    Returns (frames,) float64. Samples after the last whole frame are left out.
    """
    size = round(seconds * waveform.rate)
    frames = waveform.samples[: len(waveform.samples) // size * size].reshape(-1, size)
    powers = np.square(frames, dtype=np.float64).mean(axis=1)
    levels: NDArray[np.float64] = 10 * np.log10(powers + 10 ** (LOWEST / 10))
    return levels


def silent_frames(waveform: Waveform, seconds: float) -> NDArray[np.bool_]:
    """Return which frames of `seconds` are silent. Returns (frames,) bool.

    A frame is silent if its level is more than `BELOW_LOUD` below the loud frames, those of the loudest tenth, or below
    `ALWAYS_SILENT`. In a recording whose noise is louder than that, no frame is silent.
    """
    levels = frame_levels(waveform, seconds)
    if not len(levels):
        return np.zeros(0, dtype=np.bool_)
    silent: NDArray[np.bool_] = levels < max(np.percentile(levels, 90) - BELOW_LOUD, ALWAYS_SILENT)
    return silent
