import pytest
import torch

from spiritlm_cli.training.discriminators import (
    HIFIGAN_CHANNELS,
    PERIODS,
    RESOLUTIONS,
    Discriminators,
    PeriodDiscriminator,
    ResolutionDiscriminator,
    ScaleDiscriminator,
    adversarial_loss,
    discriminator_loss,
)


@pytest.fixture(scope="module")
def discriminators() -> Discriminators:
    torch.manual_seed(0)
    return Discriminators()


def noise(seed: int) -> torch.Tensor:
    return 0.1 * torch.randn(2, 1200, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("period", PERIODS)
def test_period_discriminator_keeps_periods_apart(period: int) -> None:
    output, features = PeriodDiscriminator(period)(noise(0))
    assert output.shape[:2] == (2, 1)
    assert output.shape[3] == period
    assert [feature.shape[1] for feature in features] == [16, 48, 96, 128]


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_resolution_discriminator_keeps_time(resolution: tuple[int, int]) -> None:
    size, hop = resolution
    output, features = ResolutionDiscriminator(size, hop)(noise(0))
    assert output.shape[3] == features[0].shape[3] == 1200 // hop + 1


def test_discriminator_loss_falls_along_its_gradient() -> None:
    torch.manual_seed(0)
    discriminators = Discriminators()
    real, generated = noise(0), 0.1 * noise(1)
    loss = discriminator_loss(discriminators, real, generated)
    loss.backward()
    torch.optim.SGD(discriminators.parameters(), lr=1e-3).step()
    with torch.no_grad():
        assert discriminator_loss(discriminators, real, generated) < loss


def test_discriminator_loss_of_equal_waveforms_is_at_least_half_a_discriminator(
    discriminators: Discriminators,
) -> None:
    # (1 − d)² + d² has its minimum at d = 1/2
    assert discriminator_loss(discriminators, noise(0), noise(0)) >= len(discriminators.members) / 2


def test_adversarial_loss_is_differentiable_by_the_generated_waveform(discriminators: Discriminators) -> None:
    real, generated = noise(0).requires_grad_(True), noise(1).requires_grad_(True)
    adversarial, features = adversarial_loss(discriminators, real, generated)
    assert features > 0
    (adversarial + features).backward()
    assert generated.grad is not None
    assert generated.grad.abs().max() > 0
    assert real.grad is None
    assert adversarial_loss(discriminators, noise(0), noise(0))[1] == 0


def test_scale_discriminator_averages_the_waveform() -> None:
    discriminator = ScaleDiscriminator(4)
    output, features = discriminator(torch.randn(2, 4096))
    # a quarter of the samples, then strides of 2, 2, 4 and 4
    assert [feature.shape[1] for feature in features] == [128, 128, 256, 512, 1024, 1024, 1024]
    assert features[0].shape[2] == pytest.approx(1024, abs=2)
    assert output.shape[2] == pytest.approx(16, abs=1)


def test_hifigan_discriminators_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        members = [PeriodDiscriminator(period, HIFIGAN_CHANNELS) for period in PERIODS]
    # the published multi-period discriminator has 41 million parameters
    assert sum(p.numel() for m in members for p in m.parameters()) == pytest.approx(41.1e6, rel=0.01)
