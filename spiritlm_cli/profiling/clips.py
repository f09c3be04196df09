"""Clips to measure speed on, cut from a file."""

from pathlib import Path

import numpy as np

from spiritlm_cli.audio.reading import read_windows
from spiritlm_cli.manifests.clip import Clip, FloatArray
from spiritlm_cli.speech.windows import MIN_SECONDS, SAMPLE_RATE, WINDOW_SECONDS

# Nine seconds of LibriSpeech.
RECORDING = Path(__file__).parent.parent / "assets" / "7143-88743-0029.flac"
# Lengths of clips, in seconds.
SHORTEST, LONGEST = 2, 20


def read_samples(audio: Path | str, seconds: float) -> FloatArray:
    """Read the first `seconds` of a file at 16 kHz, repeating the file if it is shorter. Raises AudioError."""
    count, pieces = round(seconds * SAMPLE_RATE), []
    for window in read_windows(
        Clip(str(audio), audio), rate=SAMPLE_RATE, window_seconds=WINDOW_SECONDS, min_seconds=MIN_SECONDS
    ):
        pieces.append(window.samples)
        if sum(map(len, pieces)) >= count:
            break
    return np.resize(np.concatenate(pieces), count)


def cut_clips(samples: FloatArray) -> list[FloatArray]:
    """Cut (samples,) at 16 kHz into consecutive clips of 2 to 20 s, drawn with a fixed seed.

    The last has up to 22 s.
    """
    generator, starts = np.random.default_rng(0), [0]
    while len(samples) - starts[-1] > (LONGEST + SHORTEST) * SAMPLE_RATE:
        starts.append(starts[-1] + int(generator.integers(SHORTEST * SAMPLE_RATE, LONGEST * SAMPLE_RATE)))
    return np.split(samples, starts[1:])
