"""Spectrograms for the eye."""

import numpy as np

from spiritlm_cli.manifests.clip import FloatArray, Waveform

WINDOW_SECONDS = 0.012
DYNAMIC_RANGE = 70.0
_FFT_SIZE = 512


def spectrogram_db(
    waveform: Waveform, seconds_per_column: float = 0.004, start: float = 0.0, end: float | None = None
) -> FloatArray:
    """Power of a waveform, or of the part of it from `start` to `end` seconds, over time and frequency.

    Columns are centered on `start` + (i + 0.5) * seconds_per_column; the Hann window of 12 ms shows formants rather
    than harmonics. Returns (257, columns) float32 dB from 0 Hz to half of the sampling rate; a sine of full scale is at
    0 dB, silence at -200 dB.
    """
    rate = waveform.rate
    end = waveform.seconds if end is None else end
    columns = max(round((end - start) / seconds_per_column), 1)
    length = round(WINDOW_SECONDS * rate)
    centers = np.round((start + (np.arange(columns) + 0.5) * seconds_per_column) * rate).astype(np.int64)
    padded = np.pad(waveform.samples, (length, length))
    first = np.clip(centers + length - length // 2, 0, len(padded) - length)
    window = np.hanning(length + 2)[1:-1]
    frames = padded[first[:, None] + np.arange(length)] * (window / (window.sum() / 2))
    power = np.abs(np.fft.rfft(frames, _FFT_SIZE)) ** 2
    decibels: FloatArray = (10 * np.log10(np.maximum(power, 1e-20))).astype(np.float32).T
    return decibels
