"""The places of a unit as one sound: each with some of the sound around it, as loud as the others, between pauses."""

import numpy as np

from spiritlm_cli.manifests.clip import FloatArray, Waveform

# Seconds of silence between two places.
PAUSE = 0.2
# Root mean square of each place, -26 dB of full scale, and the most that it is amplified by, 20 dB.
_LEVEL = 0.05
_MAX_GAIN = 10.0
_PEAK = 0.99
# Seconds of the ramps at the ends, without which a cut is heard as a click.
_RAMP = 0.005


def cut_place(waveform: Waveform, start: float, end: float, context: float) -> tuple[FloatArray, float]:
    """Cut a place out of a waveform, and match its level.

    start, end, context: in seconds. Returns (samples,) float32, and how many seconds of it are before the place: as
    many as `context`, or as there are.
    """
    rate = waveform.rate
    first = max(0, round((start - context) * rate))
    last = min(len(waveform.samples), round((end + context) * rate))
    samples = waveform.samples[first:last].astype(np.float32)
    if len(samples):
        level, peak = float(np.sqrt(np.mean(samples**2))), float(np.abs(samples).max())
        gain = min(_LEVEL / max(level, 1e-9), _MAX_GAIN, _PEAK / max(peak, 1e-9))
        ramp = min(round(_RAMP * rate), len(samples) // 2)
        samples *= np.float32(gain)
        samples[:ramp] *= np.linspace(0, 1, ramp, dtype=np.float32)
        samples[len(samples) - ramp :] *= np.linspace(1, 0, ramp, dtype=np.float32)
    return samples, start - first / rate


def pause(rate: int) -> FloatArray:
    """The silence between two places."""
    return np.zeros(round(PAUSE * rate), dtype=np.float32)
