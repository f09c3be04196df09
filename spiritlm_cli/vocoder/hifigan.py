"""HiFi-GAN over units: the network that synthesizes waveforms, and the predictor of unit durations.

Generator: Kong et al. 2020 (arXiv 2010.05646). From discrete units: Polyak et al. 2021 (arXiv 2104.00355).
Parameters are named as in the release's `generator.pt`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from spiritlm_cli.nn.layers import Conv, ConvTranspose
from spiritlm_cli.vocoder.config import HifiGanConfig
from spiritlm_cli.vocoder.durations import DurationNetwork, whole_frames

# Slopes of the leaky ReLUs, and of the last one.
SLOPE = 0.1
LAST_SLOPE = 0.01


class HifiGan(nn.Module):
    """Synthesizes waveforms at 16 kHz from units at 25 Hz, and predicts durations of units without repeats."""

    def __init__(self, config: HifiGanConfig, *, weight_normed: bool = False) -> None:
        """weight_normed: parametrize the convolutions by weight norm, for training; save with
        `weight_norm.release_state_dict`.
        """
        super().__init__()
        self.config = config
        channels = config.upsample_initial_channel
        self.dict = nn.Embedding(config.num_embeddings, config.embedding_dim)
        if config.expressive:
            self.f0_dict = nn.Embedding(config.num_f0_tokens, config.embedding_dim)
            self.style_dict = nn.Embedding(config.num_style_tokens, config.embedding_dim)
        if config.multispkr:
            self.spkr = nn.Embedding(config.num_speakers, config.embedding_dim)
        if config.multistyle:
            self.style = nn.Embedding(config.num_styles, config.embedding_dim)
        self.dur_predictor = DurationNetwork(config.dur_predictor_params)
        self.conv_pre = Conv(config.model_in_dim, channels, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        block = ResBlock1 if config.resblock == "1" else ResBlock2
        for i, (rate, kernel) in enumerate(
            zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True)
        ):
            narrow = self.channels(i)
            wide = max(channels // 2**i, 1)
            self.ups.append(ConvTranspose(wide, narrow, kernel, rate, padding=(kernel - rate) // 2))
            for size, dilations in zip(
                config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True
            ):
                self.resblocks.append(block(narrow, size, dilations))
        self.conv_post = Conv(narrow, 1, 7, padding=3)
        if weight_normed:
            for name, module in list(self.named_modules()):
                if isinstance(module, nn.Conv1d | nn.ConvTranspose1d) and not name.startswith(
                    "dur_predictor."
                ):
                    weight_norm(module)

    def forward(
        self,
        hubert: Tensor,
        speaker: Tensor | None = None,
        pitch: Tensor | None = None,
        style: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """Synthesize a batch.

        hubert: (batch, frames) int64 unit ids at 25 Hz, with repeats. speaker: (batch,) int64 indices, unless there is
        one speaker. pitch: (batch, frames) int64 unit ids, expressive only. style: expressive (batch, frames) int64
        unit ids, base (batch,) int64 indices.
        lengths: (batch,) int64 valid frames of each row (None: all); frames after them don't affect those before.
        Returns (batch, frames * code_hop_size) float within ±1; of each row, `lengths * code_hop_size` are valid.
        """
        mask = LengthMask(lengths, hubert.shape[1])
        x = self.conv_pre(mask(self.embed(hubert, speaker, pitch, style)))
        for i in range(len(self.ups)):
            x = self.stage(i, x, mask)
        waveform: Tensor = x[..., 0]
        return waveform

    def stage(self, i: int, x: Tensor, mask: "LengthMask") -> Tensor:
        """Run one stage: upsampling and residual blocks; the last stage also computes the waveform.

        x: (batch, frames, channels). Returns (batch, frames * upsample_rates[i], channels of the stage), from the last
        stage (batch, samples, 1) within ±1.
        """
        x = mask(self.ups[i](F.leaky_relu(mask(x), SLOPE)))
        blocks = self.blocks(i)
        total: Tensor = blocks[0](x, mask)
        for block in blocks[1:]:
            total = total + block(x, mask)
        mean = total / len(blocks)
        return torch.tanh(self.conv_post(mean, input_slope=LAST_SLOPE)) if i == len(self.ups) - 1 else mean

    def blocks(self, i: int) -> nn.ModuleList:
        """Residual blocks of a stage, one for each kernel size."""
        kernels = len(self.config.resblock_kernel_sizes)
        return self.resblocks[i * kernels : (i + 1) * kernels]

    def channels(self, i: int) -> int:
        """Output channels of the residual blocks of a stage."""
        return max(self.config.upsample_initial_channel >> (i + 1), 1)

    def embed(
        self,
        hubert: Tensor,
        speaker: Tensor | None = None,
        pitch: Tensor | None = None,
        style: Tensor | None = None,
    ) -> Tensor:
        """Concatenate the embeddings of the inputs. Arguments: see `forward`. Returns (batch, frames, model_in_dim)."""
        parts = [self.dict(hubert)]
        if self.config.expressive:
            assert pitch is not None
            assert style is not None
            parts += [self.f0_dict(pitch), self.style_dict(style)]
        if self.config.multispkr:
            assert speaker is not None
            parts.append(self.spkr(speaker)[:, None].expand_as(parts[0]))
        if self.config.multistyle:
            assert style is not None
            parts.append(self.style(style)[:, None].expand_as(parts[0]))
        return torch.cat(parts, dim=2)

    def log_durations(self, hubert: Tensor) -> Tensor:
        """hubert: (batch, units) int64 without repeats. Returns (batch, units) float, ln(1 + frames), for training."""
        predicted: Tensor = self.dur_predictor(self.dict(hubert))
        return predicted

    def durations(self, hubert: Tensor) -> Tensor:
        """hubert: (batch, units) int64 without repeats. Returns (batch, units) int64 frames, each at least 1."""
        return whole_frames(self.log_durations(hubert))

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's samples: an upper bound on half the receptive field."""
        reach, rate = 3.0, 1
        for up, kernel in zip(self.config.upsample_rates, self.config.upsample_kernel_sizes, strict=True):
            reach += kernel / up / rate
            rate *= up
            reach += self.block_reach / rate
        return int(reach + 3 / rate) + 1

    @property
    def block_reach(self) -> int:
        """Largest reach of a residual block to either side, in frames at its own rate."""
        repeats = 1 if self.config.resblock == "1" else 0
        return max(
            sum((size // 2) * (dilation + repeats) for dilation in dilations)
            for size, dilations in zip(
                self.config.resblock_kernel_sizes, self.config.resblock_dilation_sizes, strict=True
            )
        )


class LengthMask:
    """Sets frames after the end of each row of a batch to 0, at any frame rate.

    Convolutions pad with zeros, so a masked row ends as it would without the frames after it.
    """

    def __init__(self, lengths: Tensor | int | None, frames: int) -> None:
        """lengths: (batch,) valid frames, or an int for a batch of one row (None: all). frames: of the padded rows."""
        self._lengths, self._frames = lengths, frames
        self._masks: dict[int, Tensor] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """x: (batch, frames × any rate, channels). Returns x masked; changes it in place if `lengths` is an int."""
        if self._lengths is None:
            return x
        rate = x.shape[1] // self._frames
        if isinstance(self._lengths, int):
            x[:, rate * self._lengths :] = 0
            return x
        if rate not in self._masks:
            positions = torch.arange(x.shape[1], device=x.device)
            self._masks[rate] = (positions < rate * self._lengths[:, None])[..., None].to(x.dtype)
        return x * self._masks[rate]


class ResBlock1(nn.Module):
    """Residual pairs of convolutions, the first of each pair dilated (HiFi-GAN's `resblock` "1")."""

    compiled = ("forward",)

    def __init__(self, channels: int, size: int, dilations: list[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_conv(channels, size, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_conv(channels, size, 1) for _ in dilations)

    def forward(self, x: Tensor, mask: LengthMask) -> Tensor:
        """x: (batch, frames, channels). Returns the same shape."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            inner = mask(dilated(x, "leaky_relu", SLOPE, input_slope=SLOPE))
            x = mask(plain(inner, residual=x))
        return x


class ResBlock2(nn.Module):
    """Residual dilated convolutions (HiFi-GAN's `resblock` "2", the smaller kind)."""

    compiled = ("forward",)

    def __init__(self, channels: int, size: int, dilations: list[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(channels, size, dilation) for dilation in dilations)

    def forward(self, x: Tensor, mask: LengthMask) -> Tensor:
        """x: (batch, frames, channels). Returns the same shape."""
        for conv in self.convs:
            x = mask(conv(x, residual=x, input_slope=SLOPE))
        return x


def _conv(channels: int, size: int, dilation: int) -> Conv:
    return Conv(channels, channels, size, dilation=dilation, padding=dilation * (size // 2))
