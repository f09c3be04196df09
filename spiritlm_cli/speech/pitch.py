"""Pitch units: a VQ-VAE that encodes F0 at 200 Hz as units at 12.5 Hz, with the release's tensor names.

Architecture: one level of the VQ-VAE of Jukebox (Dhariwal et al. 2020, arXiv 2005.00341), applied to F0 as in
Polyak et al. 2021 (arXiv 2104.00355).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints.tensors import build_on_meta, load_into, read_tensors
from spiritlm_cli.config import Bounds, Fraction, Size, Text, from_mapping, read_yaml
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.f0 import F0Track

# F0 frames at 200 Hz of one pitch unit at 12.5 Hz.
FRAMES_PER_UNIT = 16
# F0 frames: a window of 100 s.
_MAX_DILATION = 20_000

# Levels, strides, steps and blocks.
Small = Annotated[int, Bounds(1, 16)]


@dataclass(frozen=True)
class ConvConfig:
    """`encoder_params` and `decoder_params` of the configuration.

    There are `downs_t[0]` steps of stride `strides_t[0]`, each followed by `depth` residual blocks of `width` channels;
    block j (from 0) has the dilation `dilation_growth_rate ** j`.
    Raises ValueError for more than one level, and for a dilation that is longer than any sound.
    """

    input_emb_width: Size
    output_emb_width: Size
    levels: Small
    downs_t: list[Small]
    strides_t: list[Small]
    width: Size
    depth: Small
    m_conv: Annotated[float, Bounds(1e-3, 64)] = 1.0
    dilation_growth_rate: Small = 1

    def __post_init__(self) -> None:
        if self.levels != 1 or len(self.downs_t) != 1 or len(self.strides_t) != 1:
            raise ValueError(f"levels is {self.levels}; only 1 is known")
        if self.dilation_growth_rate ** (self.depth - 1) > _MAX_DILATION:
            raise ValueError(
                f"dilation_growth_rate is {self.dilation_growth_rate} for a depth of {self.depth}"
            )

    @property
    def downsampling(self) -> int:
        """Frames of the input for one latent."""
        return int(self.strides_t[0] ** self.downs_t[0])


@dataclass(frozen=True)
class CodebookConfig:
    """`vq_params`: `l_bins` codes of `emb_width` dimensions. mu: decay of their moving average in training."""

    l_bins: Size
    emb_width: Size
    mu: Fraction = 0.99
    levels: Small = 1


@dataclass(frozen=True)
class PitchConfig:
    """The VQ-VAE's `config.yaml`, by its own keys. Raises ValueError if the values contradict each other."""

    features: Text
    encoder_params: ConvConfig
    decoder_params: ConvConfig
    vq_params: CodebookConfig
    speaker_norm: bool = False

    def __post_init__(self) -> None:
        for name, params in (
            ("encoder_params", self.encoder_params),
            ("decoder_params", self.decoder_params),
        ):
            if params.input_emb_width != 2:
                raise ValueError(f"{name}: input_emb_width is {params.input_emb_width}; F0 and voicing are 2")
            if params.output_emb_width != self.vq_params.emb_width:
                raise ValueError(
                    f"{name}: output_emb_width is {params.output_emb_width}, "
                    f"but emb_width of vq_params is {self.vq_params.emb_width}"
                )

    @property
    def relative(self) -> bool:
        """Whether F0 is relative to the clip's mean."""
        return self.features.startswith("norm_") or self.speaker_norm

    @classmethod
    def read(cls, path: Path) -> "PitchConfig":
        """Read a `config.yaml`. Raises CheckpointError, also for another rate of units than 12.5 Hz."""
        config = from_mapping(cls, read_yaml(path), path)
        for params in (config.encoder_params, config.decoder_params):
            if params.downsampling != FRAMES_PER_UNIT:
                raise CheckpointError(
                    f"{path}: {params.downsampling} frames of F0 make one unit, expected {FRAMES_PER_UNIT}"
                )
        return config


class PitchVqVae(nn.Module):
    """Encodes F0 and voicing as units, and decodes units."""

    def __init__(self, config: PitchConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder_params)
        self.vq = Codebook(config.vq_params)
        self.decoder = Decoder(config.decoder_params)

    @classmethod
    def load(cls, path: Path, config_path: Path) -> "PitchVqVae":
        """Load the weights in `path`, with the configuration in `config_path`. Raises CheckpointError."""
        config = PitchConfig.read(config_path)
        model = build_on_meta(lambda: cls(config), config_path)
        load_into(model, read_tensors(path))
        return model.eval().requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        """features: (batch, 2, frames) from `pitch_features`. Returns (batch, frames // 16) int64 units."""
        return self.vq.nearest(self.encoder(features))

    def decode(self, units: Tensor) -> Tensor:
        """units: (batch, n) int64. Returns (batch, 2, 16 n), the features that the units stand for."""
        features: Tensor = self.decoder(self.vq(units))
        return features


class Encoder(nn.Module):
    """Downsamples features to latents by strided convolutions, each followed by residual blocks."""

    def __init__(self, config: ConvConfig) -> None:
        super().__init__()
        steps, stride = config.downs_t[0], config.strides_t[0]
        blocks: list[nn.Module] = []
        for i in range(steps):
            channels = config.input_emb_width if i == 0 else config.width
            down = nn.Conv1d(channels, config.width, 2 * stride, stride, padding=stride // 2)
            blocks.append(nn.Sequential(down, _resnet(config)))
        blocks.append(nn.Conv1d(config.width, config.output_emb_width, 3, padding=1))
        self.level_blocks = nn.ModuleList([Layers(blocks)])

    def forward(self, features: Tensor) -> Tensor:
        """features: (batch, 2, frames). Returns (batch, dim, frames // stride ** steps)."""
        out: Tensor = self.level_blocks[0](features)
        return out


class Decoder(nn.Module):
    """Mirrors the encoder: upsamples latents to features by transposed convolutions after residual blocks."""

    def __init__(self, config: ConvConfig) -> None:
        super().__init__()
        steps, stride = config.downs_t[0], config.strides_t[0]
        blocks: list[nn.Module] = [nn.Conv1d(config.output_emb_width, config.width, 3, padding=1)]
        for i in range(steps):
            channels = config.output_emb_width if i == steps - 1 else config.width
            up = nn.ConvTranspose1d(config.width, channels, 2 * stride, stride, padding=stride // 2)
            blocks.append(nn.Sequential(_resnet(config, reverse=True), up))
        self.level_blocks = nn.ModuleList([Layers(blocks)])
        self.out = nn.Conv1d(config.output_emb_width, config.input_emb_width, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """latents: (batch, dim, frames). Returns (batch, 2, frames * stride ** steps)."""
        out: Tensor = self.out(self.level_blocks[0](latents))
        return out


class Codebook(nn.Module):
    """The codebook, (codes, dim); in the release's files it is the tensor `level_blocks.0.k`."""

    def __init__(self, config: CodebookConfig) -> None:
        super().__init__()
        level = nn.Module()
        level.register_buffer("k", torch.zeros(config.l_bins, config.emb_width))
        self.level_blocks = nn.ModuleList([level])

    @property
    def codes(self) -> Tensor:
        """The code vectors, (codes, dim)."""
        return self.level_blocks[0].get_buffer("k")

    def nearest(self, latents: Tensor) -> Tensor:
        """Find the nearest codes. latents: (batch, dim, frames). Returns (batch, frames) int64."""
        x = latents.transpose(1, 2)
        # |x − c|² without |x|², which is the same for all codes.
        return (self.codes.square().sum(1) - 2 * x @ self.codes.T).argmin(2)

    def forward(self, ids: Tensor) -> Tensor:
        """Look up codes. ids: (batch, frames) int64. Returns (batch, dim, frames)."""
        return self.codes[ids].transpose(1, 2)


class Layers(nn.Module):
    """A sequence of layers with the name `model`, as in the release's tensor names."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, channels, frames)."""
        out: Tensor = self.model(x)
        return out


class ResidualBlock(nn.Module):
    """Adds two convolutions of the input to it, the first of them dilated."""

    def __init__(self, channels: int, hidden: int, dilation: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.ReLU(),
            nn.Conv1d(channels, hidden, 3, padding=dilation, dilation=dilation),
            nn.ReLU(),
            nn.Conv1d(hidden, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, channels, frames). Returns the same shape."""
        out: Tensor = x + self.model(x)
        return out


def pitch_features(track: F0Track, relative: bool) -> Tensor:
    """Return the VQ-VAE's input: (2, frames) float32, F0 in Hz and voicing (0 or 1).

    relative: subtract the mean F0 of the voiced frames from every F0 that is not 0.
    """
    f0 = track.f0
    if relative and track.voiced.any():
        f0 = np.where(f0 != 0, f0 - f0[track.voiced].mean(), f0)
    return torch.from_numpy(np.stack([f0, track.voiced]).astype(np.float32))


def _resnet(config: ConvConfig, reverse: bool = False) -> nn.Module:
    powers = range(config.depth - 1, -1, -1) if reverse else range(config.depth)
    hidden = int(config.m_conv * config.width)
    return Layers([ResidualBlock(config.width, hidden, config.dilation_growth_rate**j) for j in powers])
