"""Mel-frequency cepstral coefficients, the features of HuBERT's first clusters (Hsu et al. 2021, arXiv 2106.07447)."""

from functools import lru_cache

import librosa  # its parts are loaded as they are used, for a second or more
import numpy as np
import torch
from numpy.typing import NDArray

RATE = 16000
# As in Kaldi: frames of 25 ms every 10 ms, 23 mel bands from 20 Hz, 13 coefficients.
_WINDOW, _HOP, _FFT = 400, 160, 512
_BANDS, _COEFFICIENTS = 23, 13
_PRE_EMPHASIS = 0.97


def mfcc(samples: NDArray[np.float32], hop: int) -> NDArray[np.float32]:
    """Compute 13 coefficients and their first and second differences, at the middle of each frame of `hop` samples.

    samples: (samples,) at 16 kHz. hop: a multiple of 160, such as 640 for 25 Hz. Returns (samples // hop, 39).
    The differences are over 5 windows, 10 ms apart.
    """
    frames = len(samples) // hop
    if not frames:
        return np.zeros((0, 3 * _COEFFICIENTS), dtype=np.float32)
    emphasized = np.append(samples[:1] * (1 - _PRE_EMPHASIS), samples[1:] - _PRE_EMPHASIS * samples[:-1])
    spectrum = torch.stft(
        torch.from_numpy(emphasized.astype(np.float32)),
        _FFT,
        _HOP,
        _WINDOW,
        window=torch.hamming_window(_WINDOW),
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.abs().square().numpy()
    log = np.log(np.maximum(_filters() @ power, 1e-10))
    cepstra = librosa.feature.mfcc(S=log, n_mfcc=_COEFFICIENTS)
    # Differences need 5 windows; a clip of under 50 ms has fewer.
    padded = np.pad(cepstra, ((0, 0), (0, max(0, 5 - cepstra.shape[1]))), mode="edge")
    both = [librosa.feature.delta(padded, width=5, order=order, mode="nearest") for order in (1, 2)]
    # Window k of the STFT is centered at sample 160 k.
    middles = (np.arange(frames) * hop + hop // 2) // _HOP
    features: NDArray[np.float32] = np.concatenate([padded, *both])[:, middles].T.astype(np.float32)
    return features


@lru_cache(maxsize=1)
def _filters() -> NDArray[np.float32]:
    # the import takes a second
    from librosa.filters import mel

    filters: NDArray[np.float32] = mel(sr=RATE, n_fft=_FFT, n_mels=_BANDS, fmin=20.0, htk=True)
    return filters
