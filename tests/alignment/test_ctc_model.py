from pathlib import Path

import numpy as np
import pytest
import torch
from ctc_fixtures import SYMBOLS, TINY, write_folder

from spiritlm_cli.alignment.ctc_model import CtcModel
from spiritlm_cli.errors import AlignmentError
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC


def test_log_probs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CtcModel.load(write_folder(tmp_path, Wav2Vec2ForCTC(Wav2Vec2Config(**TINY))), "cpu")
    assert model.frame_seconds == 0.02
    waveform = Waveform(np.random.default_rng(0).normal(size=400 + 9 * 320).astype(np.float32), 16000)
    log_probs = model.log_probs(waveform)
    assert log_probs.shape == (10, len(SYMBOLS))
    assert np.exp(log_probs).sum(axis=1) == pytest.approx(np.ones(10), abs=1e-5)
    with pytest.raises(AlignmentError, match=r"0\.019 s of audio is too short"):
        model.log_probs(Waveform(waveform.samples[:300], 16000))
