import pytest
import torch

from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.errors import CheckpointError, OptionError
from spiritlm_cli.speech.hubert import Hubert
from spiritlm_cli.training.hubert_loss import HubertLoss

SAMPLES = 6400


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return find_checkpoint("nano")


@pytest.fixture(scope="module")
def noise() -> torch.Tensor:
    return 0.1 * torch.randn(2, SAMPLES, generator=torch.Generator().manual_seed(0))


def test_equal_waveforms_have_no_distance(nano: Checkpoint, noise: torch.Tensor) -> None:
    # with a gradient, other kernels compute the features
    assert HubertLoss(nano.hubert, SAMPLES)(noise, noise).item() == pytest.approx(0, abs=1e-5)


def test_distance_is_that_of_normalized_features(nano: Checkpoint, noise: torch.Tensor) -> None:
    hubert, other = Hubert.load(nano.hubert), noise.flip(1)
    distances = []
    for waveform, generated in zip(noise, other, strict=True):
        for last in (False, True):
            features = []
            for one in (waveform, generated):
                x = hubert.encoder.embed(hubert.prepare([one]))
                [x] = hubert.encoder.contextualize(x, 0.0) if last else x
                features.append((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, unbiased=False))
            distances.append((features[0] - features[1]).abs().mean().item())
    expected = sum(distances) / len(distances)
    assert HubertLoss(nano.hubert, SAMPLES)(other, noise).item() == pytest.approx(expected, rel=1e-3)


def test_only_the_generated_waveform_has_a_gradient(nano: Checkpoint, noise: torch.Tensor) -> None:
    generated, real = (noise + shift for shift in (0.01, 0.0))
    generated.requires_grad_(True)
    loss = HubertLoss(nano.hubert, SAMPLES)
    loss(generated, real.requires_grad_(True)).backward()
    assert generated.grad is not None
    assert generated.grad.abs().sum() > 0
    assert real.grad is None
    assert not any(p.requires_grad for p in loss.parameters())


def test_crops_shorter_than_a_frame_are_refused(nano: Checkpoint) -> None:
    with pytest.raises(OptionError, match=r"^makes crops of 640 samples; .* needs 720$"):
        HubertLoss(nano.hubert, 640)


def test_a_file_of_other_weights_is_refused(nano: Checkpoint) -> None:
    with pytest.raises(CheckpointError):
        HubertLoss(nano.generator(expressive=True), SAMPLES)
