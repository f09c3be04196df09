import librosa
import numpy as np
import pytest

from spiritlm_cli.training.mfcc import mfcc


def test_mfcc_is_that_of_librosa_in_kaldis_setting() -> None:
    samples = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    emphasized = np.append(samples[:1] * 0.03, samples[1:] - np.float32(0.97) * samples[:-1])
    # 100 Hz, frame k at sample 160 k
    expected = librosa.feature.mfcc(
        y=emphasized, sr=16000, n_fft=512, win_length=400, hop_length=160, n_mels=23, fmin=20, htk=True, n_mfcc=13,
        window=np.hamming(401)[:-1], pad_mode="constant", norm="ortho",
    )  # fmt: skip
    features = mfcc(samples, 640)
    # librosa's scale is decibels, relative to the loudest frame at most
    natural = expected * np.log(10) / 10
    assert features.shape == (25, 39)
    np.testing.assert_allclose(features[:, 1:13], natural[1:, 2:100:4].T, atol=0.02)


@pytest.mark.parametrize("hop", [160, 320, 640])
def test_mfcc_differences_are_of_neighboring_windows(hop: int) -> None:
    samples = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    every = mfcc(samples, 160)
    assert len(mfcc(samples, hop)) == 8000 // hop
    # least squares slope over 5 windows; of window 10, away from the ends
    slope = sum(k * every[10 + k, :13] for k in (-2, -1, 1, 2)) / 10
    np.testing.assert_allclose(every[10, 13:26], slope, atol=1e-4)


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (639, 0), (640, 1), (1279, 1)])
def test_mfcc_has_a_row_for_each_whole_frame(samples: int, frames: int) -> None:
    assert mfcc(np.zeros(samples, dtype=np.float32), 640).shape == (frames, 39)
