"""The pitch VQ-VAE; its units are tested with the tokenizer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spiritlm_cli.checkpoints.tensors import read_tensors
from spiritlm_cli.errors import CheckpointError
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


@pytest.mark.parametrize(
    ("there", "wanted", "message"),
    [
        ("strides_t: [2]", "strides_t: [0]", "strides_t: 0 is outside of 1 to 16"),
        ("strides_t: [2]", "strides_t: [4]", "256 frames of F0 make one unit, expected 16"),
        ("levels: 1\n", "levels: 1000000000\n", "levels: 1000000000 is outside"),
        ("downs_t: [4]", "downs_t: [4, 4]", "only 1 is known"),
        ("depth: 4", "depth: 1000000000", "depth: 1000000000 is outside"),
        (
            "dilation_growth_rate: 3",
            "dilation_growth_rate: 15",
            "dilation_growth_rate is 15 for a depth of 16",
        ),
        ("m_conv: 1.0", "m_conv: .nan", "m_conv: nan is outside"),
        ("width: 32", "width: !!timestamp x", "can't be read"),
    ],
)
def test_pitch_vq_vae_load_refuses_a_configuration(
    paths: tuple[Path, Path], tmp_path: Path, there: str, wanted: str, message: str
) -> None:
    text = paths[1].read_text().replace(there, wanted)
    text = text.replace("depth: 4", "depth: 16") if "growth" in there else text
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=rf"config\.yaml: .*{message}"):
        PitchVqVae.load(paths[0], tmp_path / "config.yaml")
