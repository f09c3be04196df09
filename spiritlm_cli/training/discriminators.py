"""Discriminators of the vocoder's training: those of HiFi-GAN, or smaller ones with fewer channels than in the papers.

Multi-period and multi-scale discriminators: HiFi-GAN (Kong et al. 2020, arXiv 2010.05646). Multi-resolution
discriminator: UnivNet (Jang et al. 2021).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from spiritlm_cli.training.losses import magnitude

PERIODS = (2, 3, 5, 7, 11)
RESOLUTIONS = ((512, 128), (1024, 256), (256, 64))
SCALES = (1, 2, 4)
# Channels of the period discriminators' layers. HiFi-GAN's last layer has no stride.
CHANNELS = (1, 16, 48, 96, 128)
HIFIGAN_CHANNELS = (1, 32, 128, 512, 1024, 1024)

# A discriminator's output, and the features of each of its layers.
Scores = tuple[Tensor, list[Tensor]]


class PeriodDiscriminator(nn.Module):
    """2D convolutions over the waveform reshaped to (samples / period, period)."""

    def __init__(self, period: int, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        self.period = period
        strides = [3, 3, 3, 3, 1]
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (5, 1), (stride, 1), (2, 0)))
            for (a, b), stride in zip(pairwise(channels), strides, strict=False)
        )
        self.last = weight_norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, waveform: Tensor) -> Scores:
        """Score waveforms, (batch, samples). Returns the output, and the features of each layer."""
        pad = -waveform.shape[1] % self.period
        x = F.pad(waveform[:, None], (0, pad), mode="reflect")
        x = x.reshape(len(x), 1, -1, self.period)
        return _scores(x, self.convs, self.last)


class ResolutionDiscriminator(nn.Module):
    """2D convolutions over the STFT magnitudes of one resolution. size: window, hop: step, in samples."""

    def __init__(self, size: int, hop: int, channels: int = 12) -> None:
        super().__init__()
        self.size, self.hop = size, hop
        strides = ((2, 1), (2, 1), (2, 1), (1, 1))
        widths = (1, channels, channels, channels, channels)
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (7, 3), s, (3, 1)))
            for a, b, s in zip(widths, widths[1:], strides, strict=False)
        )
        self.last = weight_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> Scores:
        """Score waveforms, (batch, samples). Returns the output, and the features of each layer."""
        return _scores(magnitude(waveform.float(), self.size, self.hop)[:, None], self.convs, self.last)


class ScaleDiscriminator(nn.Module):
    """Grouped 1D convolutions over the waveform, averaged over `factor` samples at a time."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor
        # HiFi-GAN has spectral norm at the first scale
        norm = spectral_norm if factor == 1 else weight_norm
        channels = (1, 128, 128, 256, 512, 1024, 1024, 1024)
        sizes = ((15, 1, 1), (41, 2, 4), (41, 2, 16), (41, 4, 16), (41, 4, 16), (41, 1, 16), (5, 1, 1))
        self.convs = nn.ModuleList(
            norm(nn.Conv1d(a, b, kernel, stride, kernel // 2, groups=groups))
            for (a, b), (kernel, stride, groups) in zip(pairwise(channels), sizes, strict=True)
        )
        self.last = norm(nn.Conv1d(channels[-1], 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> Scores:
        """Score waveforms, (batch, samples). Returns the output, and the features of each layer."""
        x = waveform[:, None]
        scale = 1
        while scale < self.factor:
            x = F.avg_pool1d(x, 4, 2, padding=2)
            scale *= 2
        return _scores(x, self.convs, self.last)


class Discriminators(nn.Module):
    """One discriminator for each of `PERIODS` and of `RESOLUTIONS`, or HiFi-GAN's."""

    def __init__(self, hifigan: bool = False) -> None:
        """hifigan: as in the paper, of `PERIODS` and of `SCALES`, with its numbers of channels."""
        super().__init__()
        periods = [PeriodDiscriminator(p, HIFIGAN_CHANNELS if hifigan else CHANNELS) for p in PERIODS]
        others: list[nn.Module] = (
            [ScaleDiscriminator(s) for s in SCALES]
            if hifigan
            else [ResolutionDiscriminator(*r) for r in RESOLUTIONS]
        )
        self.members = nn.ModuleList([*periods, *others])

    def forward(self, waveform: Tensor) -> list[Scores]:
        """Score waveforms, (batch, samples), by each discriminator."""
        return [member(waveform) for member in self.members]


def discriminator_loss(discriminators: Discriminators, real: Tensor, generated: Tensor) -> Tensor:
    """Least-squares loss (Mao et al. 2017) with targets 1 for `real`, 0 for `generated`, summed over discriminators.

    real, generated: (batch, samples). Returns a scalar.
    """
    pairs = zip(discriminators(real), discriminators(generated), strict=True)
    return torch.stack([(1 - r).square().mean() + g.square().mean() for (r, _), (g, _) in pairs]).sum()


def adversarial_loss(
    discriminators: Discriminators, real: Tensor, generated: Tensor
) -> tuple[Tensor, Tensor]:
    """Loss of the generator against the discriminators.

    real, generated: (batch, samples). Returns two scalars, summed over discriminators: the least-squares loss with
    target 1, and the L1 distance of the layers' features (feature matching, Kumar et al. 2019).
    """
    with torch.no_grad():
        expected = discriminators(real)
    scores = discriminators(generated)
    adversarial = torch.stack([(1 - output).square().mean() for output, _ in scores]).sum()
    features = torch.stack(
        [
            F.l1_loss(g, r)
            for (_, generated_features), (_, real_features) in zip(scores, expected, strict=True)
            for g, r in zip(generated_features, real_features, strict=True)
        ]
    ).sum()
    return adversarial.float(), features.float()


def _scores(x: Tensor, convs: nn.ModuleList, last: nn.Module) -> Scores:
    features = []
    for conv in convs:
        x = F.leaky_relu(conv(x), 0.1)
        features.append(x)
    return last(x), features
