"""The vocoder's discriminators, narrow: of periods (Kong et al. 2020) and of resolutions (Jang et al. 2021)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from spiritlm_cli.training.losses import magnitude

PERIODS = (2, 3, 5, 7, 11)
RESOLUTIONS = ((512, 128), (1024, 256), (256, 64))

Scores = tuple[Tensor, list[Tensor]]  # of a discriminator: its output, and the features of its layers


class PeriodDiscriminator(nn.Module):
    """Takes every `period`th sample side by side."""

    def __init__(self, period: int, channels: tuple[int, ...] = (1, 16, 48, 96, 128)) -> None:
        super().__init__()
        self.period = period
        pairs = pairwise(channels)
        self.convs = nn.ModuleList(weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0))) for a, b in pairs)
        self.last = weight_norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, waveform: Tensor) -> Scores:
        """waveform: (batch, samples). Returns the output, and the features of each layer."""
        pad = -waveform.shape[1] % self.period
        x = F.pad(waveform[:, None], (0, pad), mode="reflect")
        x = x.reshape(len(x), 1, -1, self.period)
        return _scores(x, self.convs, self.last)


class ResolutionDiscriminator(nn.Module):
    """Takes the magnitude spectrum of one resolution."""

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
        """waveform: (batch, samples). Returns the output, and the features of each layer."""
        return _scores(magnitude(waveform.float(), self.size, self.hop)[:, None], self.convs, self.last)


class Discriminators(nn.Module):
    """All of them."""

    def __init__(self) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            [*(PeriodDiscriminator(p) for p in PERIODS), *(ResolutionDiscriminator(*r) for r in RESOLUTIONS)]
        )

    def forward(self, waveform: Tensor) -> list[Scores]:
        return [member(waveform) for member in self.members]


def discriminator_loss(discriminators: Discriminators, real: Tensor, made: Tensor) -> Tensor:
    """Least squares: real is 1, made is 0."""
    pairs = zip(discriminators(real), discriminators(made), strict=True)
    return torch.stack([(1 - r).square().mean() + m.square().mean() for (r, _), (m, _) in pairs]).sum()


def adversarial_loss(discriminators: Discriminators, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    """The generator's least-squares loss, and the mean distance of features of `made` and `real` (feature matching)."""
    with torch.no_grad():
        expected = discriminators(real)
    scores = discriminators(made)
    adversarial = torch.stack([(1 - output).square().mean() for output, _ in scores]).sum()
    features = torch.stack(
        [
            F.l1_loss(m, r)
            for (_, ms), (_, rs) in zip(scores, expected, strict=True)
            for m, r in zip(ms, rs, strict=True)
        ]
    ).sum()
    return adversarial.float(), features.float()


def _scores(x: Tensor, convs: nn.ModuleList, last: nn.Module) -> Scores:
    features = []
    for conv in convs:
        x = F.leaky_relu(conv(x), 0.1)
        features.append(x)
    return last(x), features
