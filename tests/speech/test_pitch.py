"""The pitch VQ-VAE; its units are tested with the tokenizer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spiritlm_cli.checkpoints.tensors import read_tensors
from spiritlm_cli.speech.f0 import F0Track
from spiritlm_cli.speech.pitch import PitchVqVae, pitch_features


@pytest.fixture(scope="module")
def paths(release_tree: Path) -> tuple[Path, Path]:
    folder = release_tree / "speech_tokenizer/vqvae_f0_quantizer"
    return folder / "model.pt", folder / "config.yaml"


def test_pitch_vq_vae_saves_what_it_loads(paths) -> None:
    saved = PitchVqVae.load(*paths).state_dict()
    loaded = read_tensors(paths[0]).tensors
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[name], loaded[name]) for name in loaded)


def test_pitch_vq_vae_has_a_unit_for_16_frames(paths) -> None:
    model = PitchVqVae.load(*paths)
    units = model(torch.randn(3, 2, 160))
    assert units.shape == (3, 10)
    assert model.decoder(model.vq(units)).shape == (3, 2, 160)


def test_codebook_nearest(paths) -> None:
    model = PitchVqVae.load(*paths)
    latents = 8 * torch.randn(2, 128, 5)
    distances = torch.cdist(latents.transpose(1, 2), model.vq.codes[None].expand(2, -1, -1))
    assert torch.equal(model.vq.nearest(latents), distances.argmin(2))


def test_pitch_features_relative_to_the_mean_of_voiced_frames() -> None:
    track = F0Track(np.array([0, 100, 200, 150], np.float32), np.array([False, True, True, False]))
    assert pitch_features(track, relative=True).tolist() == [[0, -50, 50, 0], [0, 1, 1, 0]]
    assert pitch_features(track, relative=False).tolist() == [[0, 100, 200, 150], [0, 1, 1, 0]]
