"""HiFi-GAN on units: the network that turns units into sound, with the predictor of how long each unit lasts.

Generator: Kong et al. 2020 (arXiv 2010.05646); from discrete units: Polyak et al. 2021 (arXiv 2104.00355).
Parameters are named as in the release's `generator.pt`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from spiritlm_cli.nn.layers import Conv, ConvTranspose
from spiritlm_cli.vocoder.config import HifiGanConfig
from spiritlm_cli.vocoder.durations import DurationNetwork, whole_frames

SLOPE = 0.1
LAST_SLOPE = 0.01


class HifiGan(nn.Module):
    """Units at 25 Hz to a waveform at 16 kHz, and units without repeats to durations."""

    def __init__(self, config: HifiGanConfig, *, weight_normed: bool = False) -> None:
        """weight_normed: train g and v of weight norm; save such a model's `weight_norm.release_state_dict`."""
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
        """hubert: (batch, frames) unit ids at 25 Hz, repeats and all; speaker: (batch,) where there are any.

        Expressive: pitch and style are (batch, frames) unit ids. Base: style is (batch,) a style's number.
        lengths: (batch,) frames of each that are real (None: all); what stands after them changes nothing before.
        Returns (batch, frames * code_hop_size) float, in ±1; of each the first `lengths * code_hop_size` count.
        """
        clear = LengthMask(lengths, hubert.shape[1])
        x = self.conv_pre(clear(self.embed(hubert, speaker, pitch, style)))
        for i in range(len(self.ups)):
            x = self.stage(i, x, clear)
        waveform: Tensor = x[..., 0]
        return waveform

    def stage(self, i: int, x: Tensor, clear: "LengthMask") -> Tensor:
        """(batch, frames, channels) to `upsample_rates[i]` times as many frames, of the next stage's channels, or of
        one, which is the waveform in ±1, after the last."""
        x = clear(self.ups[i](F.leaky_relu(clear(x), SLOPE)))
        blocks = self.blocks(i)
        total: Tensor = blocks[0](x, clear)
        for block in blocks[1:]:
            total = total + block(x, clear)
        mean = total / len(blocks)
        return torch.tanh(self.conv_post(mean, input_slope=LAST_SLOPE)) if i == len(self.ups) - 1 else mean

    def blocks(self, i: int) -> nn.ModuleList:
        """The residual blocks of a stage, one for each kernel size."""
        kernels = len(self.config.resblock_kernel_sizes)
        return self.resblocks[i * kernels : (i + 1) * kernels]

    def channels(self, i: int) -> int:
        """Of what leaves a stage."""
        return max(self.config.upsample_initial_channel >> (i + 1), 1)

    def embed(
        self,
        hubert: Tensor,
        speaker: Tensor | None = None,
        pitch: Tensor | None = None,
        style: Tensor | None = None,
    ) -> Tensor:
        """What the generator sees of `forward`'s arguments: (batch, frames, model_in_dim)."""
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
        """hubert: (batch, units) without repeats. Returns (batch, units), ln(1 + frames), for training."""
        predicted: Tensor = self.dur_predictor(self.dict(hubert))
        return predicted

    def durations(self, hubert: Tensor) -> Tensor:
        """hubert: (batch, units) without repeats. Returns (batch, units) int64, frames, each at least 1."""
        return whole_frames(self.log_durations(hubert))

    @property
    def context(self) -> int:
        """How many frames to either side may change a frame's samples: half the receptive field, at most."""
        reach, rate = 3.0, 1
        for up, kernel in zip(self.config.upsample_rates, self.config.upsample_kernel_sizes, strict=True):
            reach += kernel / up / rate
            rate *= up
            reach += self.block_reach / rate
        return int(reach + 3 / rate) + 1

    @property
    def block_reach(self) -> int:
        """How many of its own frames to either side a residual block hears, at most."""
        repeats = 1 if self.config.resblock == "1" else 0
        return max(
            sum((size // 2) * (dilation + repeats) for dilation in dilations)
            for size, dilations in zip(
                self.config.resblock_kernel_sizes, self.config.resblock_dilation_sizes, strict=True
            )
        )


class LengthMask:
    """Sets to 0 what stands after the end of each row of a batch, at whatever rate: convolutions pad with zeros, so
    the end of a sound is as it would be if nothing came after it."""

    def __init__(self, lengths: Tensor | int | None, frames: int) -> None:
        """lengths: (batch,) frames that are real, or of a single row their number (None: all); frames: of each row."""
        self._lengths, self._frames = lengths, frames
        self._masks: dict[int, Tensor] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """(batch, frames at any rate, channels) to the same."""
        if self._lengths is None:
            return x
        rate = x.shape[1] // self._frames
        if isinstance(self._lengths, int):
            x[:, rate * self._lengths :] = 0
            return x
        if rate not in self._masks:
            places = torch.arange(x.shape[1], device=x.device)
            self._masks[rate] = (places < rate * self._lengths[:, None])[..., None].to(x.dtype)
        return x * self._masks[rate]


class ResBlock1(nn.Module):
    """Residual pairs of convolutions, the first of each pair dilated."""

    compiled = ("forward",)

    def __init__(self, channels: int, size: int, dilations: list[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_conv(channels, size, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_conv(channels, size, 1) for _ in dilations)

    def forward(self, x: Tensor, clear: LengthMask) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            inner = clear(dilated(x, "leaky_relu", SLOPE, input_slope=SLOPE))
            x = clear(plain(inner, residual=x))
        return x


class ResBlock2(nn.Module):
    """Residual dilated convolutions, the smaller kind."""

    compiled = ("forward",)

    def __init__(self, channels: int, size: int, dilations: list[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(channels, size, dilation) for dilation in dilations)

    def forward(self, x: Tensor, clear: LengthMask) -> Tensor:
        for conv in self.convs:
            x = clear(conv(x, residual=x, input_slope=SLOPE))
        return x


def _conv(channels: int, size: int, dilation: int) -> Conv:
    return Conv(channels, channels, size, dilation=dilation, padding=dilation * (size // 2))
