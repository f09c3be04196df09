"""What is encoded at a time: windows of 100 s, as in the published tokenizer, of samples that can be encoded."""

from pathlib import Path

import numpy as np

from spiritlm_cli.audio.reading import MAX_LEVEL
from spiritlm_cli.errors import AudioError, CheckpointError
from spiritlm_cli.manifests.clip import FloatArray, Waveform

SAMPLE_RATE = 16000
WINDOW_SECONDS = 100.0
# Shorter recordings have no units. A shorter remainder is part of the last whole window.
MIN_SECONDS = 0.08
# The largest sample of a clip, under which its units are not reliable: −40 dB of full scale.
MIN_LEVEL = 0.01

WINDOW_SAMPLES = int(WINDOW_SECONDS * SAMPLE_RATE)
MIN_SAMPLES = int(MIN_SECONDS * SAMPLE_RATE)


def split_windows(samples: FloatArray) -> list[FloatArray]:
    """Split a recording into consecutive windows of 100 s, as `audio.reading.read_windows` does.

    samples: (samples,) float32 at 16 kHz. The last window has what remains; if less than 80 ms remain after a whole
    window, they are the end of that window.
    """
    starts = list(range(0, max(1, len(samples) - MIN_SAMPLES + 1), WINDOW_SAMPLES))
    return [samples[start:stop] for start, stop in zip(starts, [*starts[1:], None], strict=True)]


def check_samples(waveform: Waveform, rate: int) -> FloatArray:
    """Return the samples of a waveform that can be encoded.

    rate: that of the tokenizer, in Hz. Raises AudioError for another rate, for less than 80 ms, and for samples that
    are NaN, infinite or over `MAX_LEVEL`.
    """
    if waveform.rate != rate:
        raise AudioError(f"sound at {waveform.rate} Hz; the tokenizer takes {rate} Hz")
    if len(waveform.samples) < MIN_SAMPLES:
        raise AudioError(
            f"too short: {int(1000 * waveform.seconds)} ms of sound; units need at least "
            f"{1000 * MIN_SECONDS:.0f} ms"
        )
    peak = np.abs(waveform.samples).max()
    if not np.isfinite(peak):
        raise AudioError("not sound: there are samples that are infinite or not a number")
    if peak > MAX_LEVEL:
        raise AudioError(
            f"there are samples of {peak:g}, where full scale is 1; divide 16-bit values by 32768"
        )
    return waveform.samples


def check_hop(path: Path, hop: int, rate: int) -> None:
    """Raise CheckpointError unless an encoder has `rate` frames a second, as the times of units need.

    path: the encoder's file. hop: samples from one of its frames to the next.
    """
    if hop * rate != SAMPLE_RATE:
        raise CheckpointError(
            f"{path}: has a frame every {hop} samples, expected every {SAMPLE_RATE // rate}"
        )
