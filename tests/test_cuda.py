"""What a GPU computes, beside what the CPU does. Skipped without one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.training.augmentation import augment_hard
from spiritlm_cli.vocoder.vocoder import Vocoder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture(scope="module")
def speech(recording_file: Path) -> Waveform:
    samples, rate = soundfile.read(recording_file, dtype="float32")
    return Waveform(samples, rate)


def test_cuda_gives_nearly_the_same_phonetic_units(speech: Waveform) -> None:
    cpu, cuda = (
        SpeechTokenizer.load("nano", expressive=False, device=device).encode(speech).hubert
        for device in ("cpu", "cuda")
    )
    assert len(cpu) == len(cuda)
    assert (cpu == cuda).mean() > 0.98


def test_cuda_decodes_nearly_the_same_waveform() -> None:
    units = [
        Unit(Kind.STYLE, 3),
        Unit(Kind.PITCH, 5),
        *(Unit(Kind.HUBERT, i % 500) for i in range(0, 1000, 7)),
    ]
    cpu, cuda = (
        Vocoder.load("nano", device=device).decode(Sequence.of([SpeechSpan(tuple(units))])).samples
        for device in ("cpu", "cuda")
    )
    assert len(cpu) == len(cuda)
    assert np.abs(cpu - cuda).max() < 0.02


def test_cuda_scores_text_nearly_the_same() -> None:
    line = Sequence.of([TextSpan("Once upon a time, there was a little dog.")])
    cpu, cuda = (
        LanguageModel.load("nano", device=device, dtype="float32").score(line).mean
        for device in ("cpu", "cuda")
    )
    assert cuda == pytest.approx(cpu, abs=1e-2)


def test_cuda_augments_nearly_the_same() -> None:
    waveform = 0.1 * torch.randn(8, 16000, generator=torch.Generator().manual_seed(0))
    cpu, cuda = (
        augment_hard(waveform.to(device), np.random.default_rng(0)).cpu() for device in ("cpu", "cuda")
    )
    # rounding can move a sample over a threshold of companding or clipping
    assert (cpu - cuda).abs().median() < 1e-4
