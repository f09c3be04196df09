import numpy as np
import pytest

from spiritlm_cli.inspection.figures.spectrogram import spectrogram_db
from spiritlm_cli.manifests.clip import Waveform


def sine(hertz, seconds=0.5):
    samples = np.sin(2 * np.pi * hertz * np.arange(round(16000 * seconds)) / 16000)
    return Waveform(samples.astype(np.float32), 16000)


def test_spectrogram_db_of_a_sine():
    decibels = spectrogram_db(sine(2000), 0.01)
    assert decibels.shape == (257, 50)
    assert decibels.dtype == np.float32
    assert set(decibels[:, 1:-1].argmax(axis=0)) == {64}  # 2000 of 8000 Hz
    assert decibels[64, 1:-1] == pytest.approx(np.zeros(48), abs=0.1)


def test_spectrogram_db_of_a_part():
    waveform = Waveform(np.concatenate([sine(1000).samples, sine(3000).samples]), 16000)
    decibels = spectrogram_db(waveform, 0.01, start=0.4, end=0.6)
    assert decibels.shape == (257, 20)
    assert decibels[:, :8].argmax(axis=0).tolist() == [32] * 8
    assert decibels[:, 12:].argmax(axis=0).tolist() == [96] * 8


@pytest.mark.parametrize("samples", [0, 1, 100])
def test_spectrogram_db_of_silence_and_of_short_sounds(samples):
    assert (spectrogram_db(Waveform(np.zeros(samples, np.float32), 16000), 0.01) == -200).all()
