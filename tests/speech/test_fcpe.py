"""FCPE: its spectra and filters, and batches."""

import librosa
import numpy as np
import pytest
import torch

from spiritlm_cli.speech.fcpe import FFT, MELS, Fcpe, mel_filters


@pytest.fixture(scope="module")
def network() -> Fcpe:
    return Fcpe.load()


def test_mel_filters_are_librosa_s() -> None:
    expected = librosa.filters.mel(sr=16000, n_fft=FFT, n_mels=MELS, fmin=0, fmax=8000)
    np.testing.assert_allclose(mel_filters(), expected, atol=1e-7)


@pytest.mark.parametrize("samples", [1280, 1439, 1440, 16000])
def test_log_mel_has_a_frame_for_each_160_samples(network: Fcpe, samples: int) -> None:
    mel = network.log_mel(torch.zeros(samples))
    assert mel.shape == (samples // 160 + 1, MELS)
    assert torch.isfinite(mel).all()


def test_batches_equal_single_clips(network: Fcpe) -> None:
    time = torch.arange(16000) / 16000
    clips = [
        torch.sin(2 * torch.pi * hertz * time)[:samples] for hertz, samples in ((120, 16000), (300, 5000))
    ]
    with torch.inference_mode():
        for clip, hertz in zip(clips, network(clips, 0.05), strict=True):
            assert torch.equal(hertz, network([clip], 0.05)[0])
            assert hertz.shape == (len(clip) // 160 + 1,)
