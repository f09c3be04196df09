"""Speech that a transcript does not have: long gaps between words that are not silent."""

import numpy as np

from spiritlm_cli.audio.levels import frame_levels
from spiritlm_cli.manifests.clip import Alignment, Waveform

# An interval of a clip: start and end in seconds.
Interval = tuple[float, float]

# Seconds of the shortest gap that is measured. Readers pause for less.
MIN_GAP = 1.0
# A gap is not silent if so many seconds of it are loud: at most so many dB below the median level of the words, and so
# many dB above the noise of the clip, which is the level that a tenth of its frames do not reach. Speech at the level
# of the words is that loud for more than half of the time; breaths and clicks are shorter.
MIN_LOUD = 0.5
MAX_BELOW_WORDS = 15.0
MIN_ABOVE_NOISE = 6.0
_FRAME = 0.02  # seconds


def long_gaps(alignment: Alignment, seconds: float) -> tuple[Interval, ...]:
    """Return the gaps of at least `MIN_GAP` between words, before the first and after the last.

    seconds: duration of the clip. Empty if there are no words.
    """
    words = alignment.words
    if not words:
        return ()
    ends = [0.0, *(word.end for word in words)]
    starts = [*(word.start for word in words), seconds]
    return tuple((end, start) for end, start in zip(ends, starts, strict=True) if start - end >= MIN_GAP)


def find_untranscribed(waveform: Waveform, alignment: Alignment) -> tuple[Interval, ...]:
    """Return the gaps of `long_gaps` that are not silent, measured by the level of the sound in frames of 20 ms."""
    gaps = long_gaps(alignment, waveform.seconds)
    if not gaps:
        return ()
    levels = frame_levels(waveform, _FRAME)
    centers = (np.arange(len(levels)) + 0.5) * _FRAME
    in_words = np.zeros(len(levels), dtype=bool)
    for word in alignment.words:
        in_words |= (centers >= word.start) & (centers < word.end)
    if not in_words.any():
        return ()
    threshold = max(
        np.median(levels[in_words]) - MAX_BELOW_WORDS, np.percentile(levels, 10) + MIN_ABOVE_NOISE
    )
    loud = levels > threshold
    return tuple(
        (start, end)
        for start, end in gaps
        if np.count_nonzero(loud & (centers >= start) & (centers < end)) * _FRAME >= MIN_LOUD
    )
