"""The network that HuBERT base and wav2vec2 base share: convolutions over the waveform, then a transformer.

Clips of any lengths go through it together without padding: where a frame is computed from its own clip alone
(convolutions, attention) each clip is by itself, and where a frame is computed from nothing but itself (all linear
layers and norms) the frames of all clips stand in one matrix. What becomes of a clip does not depend on the others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spiritlm_cli.nn.layers import Conv, Linear, bucket_padding, linear, map_clips, padding_rows

# Frames that leave the convolutions at a time: enough to be quick, few enough that memory does not grow with a clip.
_CHUNK = 100
_STEP = 10


@dataclass(frozen=True)
class EncoderConfig:
    """conv: (channels, kernel, stride) of each convolution; the product of the strides is the hop in samples.

    Raises ValueError where there are no convolutions, or the heads don't divide the width.
    """

    conv: tuple[tuple[int, int, int], ...]
    dim: int
    ffn_dim: int
    heads: int
    layers: int
    position_kernel: int
    position_groups: int
    projected: bool = True

    def __post_init__(self) -> None:
        if not self.conv:
            raise ValueError("there are no convolutions")
        if self.heads < 1 or self.dim % self.heads:
            raise ValueError(f"{self.heads} heads don't divide a width of {self.dim}")

    @property
    def hop(self) -> int:
        """Samples from frame to frame."""
        hop = 1
        for _, _, stride in self.conv:
            hop *= stride
        return hop

    @property
    def receptive_field(self) -> int:
        """Samples that one frame sees through the convolutions; no clip can be shorter."""
        field, hop = 1, 1
        for _, kernel, stride in self.conv:
            field += (kernel - 1) * hop
            hop *= stride
        return field


class ConvFeatures(nn.Module):
    """The feature extractor. GroupNorm with one group a channel follows the first convolution: it normalises over
    time, so what a frame becomes depends on the whole clip."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.hop, self.receptive_field = config.hop, config.receptive_field
        self.channels = config.conv[-1][0]
        _, self.kernel, self.stride = config.conv[0]
        channels = [1, *(layer[0] for layer in config.conv)]
        self.convs = nn.ModuleList(
            Conv(channels[i], out, kernel, stride, bias=False)
            for i, (out, kernel, stride) in enumerate(config.conv)
        )
        self.norm = nn.GroupNorm(channels[1], channels[1])

    def forward(self, waveform: Tensor) -> Tensor:
        """(batch, samples), all of one length, to (batch, frames, channels)."""
        first = [self._first(clip) for clip in waveform]
        if torch.is_grad_enabled():
            return self._convolved(waveform, first)
        frames = (waveform.shape[1] - self.receptive_field) // self.hop + 1
        out = waveform.new_empty(len(waveform), frames, self.channels)
        for i, clip in enumerate(waveform):
            for start, stop in _chunks(frames):
                seen = clip[start * self.hop : (stop - 1) * self.hop + self.receptive_field]
                out[i, start:stop] = self._convolved(seen[None], first[i : i + 1])[0]
        return out

    def _first(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """The first convolution with the norm after it, as one: weight (channels, kernel) and bias (channels,).

        A convolution's mean and variance over a clip follow from those of what it sees: with the mean m and the
        covariance C of all stretches of the kernel's length, those of the channel with weight w are w·m and w·C·w.
        """
        # Double, because C of a waveform is nearly singular, and w·C·w small against its entries.
        seen = clip.double().unfold(0, self.kernel, self.stride)
        mean = seen.mean(0)
        centred = seen - mean
        covariance = centred.T @ centred / len(seen)
        weight = self.convs[0].get_parameter("weight")[:, 0].double()
        variance = ((weight @ covariance) * weight).sum(1)
        scale = self.norm.weight.double() / torch.sqrt(variance + self.norm.eps)
        bias = self.norm.bias.double() - (weight @ mean) * scale
        return (weight * scale[:, None]).to(clip.dtype), bias.to(clip.dtype)

    def _convolved(self, waveform: Tensor, first: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """waveform: (batch, samples). first: of each clip, what `_first` says. Returns (batch, frames, channels)."""
        seen = waveform.unfold(1, self.kernel, self.stride)
        rows = [
            linear(clip, weight, bias, "gelu")[None] for clip, (weight, bias) in zip(seen, first, strict=True)
        ]
        x = rows[0] if len(rows) == 1 else torch.cat(rows)
        for conv in self.convs[1:]:
            x = conv(x, "gelu")
        return x


def _chunks(frames: int) -> Iterator[tuple[int, int]]:
    """Where chunks of so many frames start and stop; they may overlap, so that they are of few sizes: oneDNN keeps what
    it compiles for each."""
    stop = 0
    while stop < frames:
        size = min(_CHUNK, -(-(frames - stop) // _STEP) * _STEP)
        if size > frames:
            size = frames // _STEP * _STEP or frames
        start = min(stop, frames - size)
        stop = start + size
        yield start, stop


class PositionalConv(nn.Module):
    """Relative position by a wide grouped convolution; an even kernel gives a frame too many, which is dropped."""

    def __init__(self, dim: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.conv = Conv(dim, dim, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, dim) to the same."""
        # zeros behind the end are what the convolution pads with
        padded = F.pad(x, (0, 0, 0, bucket_padding(x.shape[1])))
        out: Tensor = self.conv(padded, "gelu")
        return out[:, : x.shape[1]]


class EncoderLayer(nn.Module):
    """Post-norm transformer layer."""

    compiled = ("_heads", "_feed")

    def __init__(self, dim: int, ffn_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = Linear(dim, dim)
        self.key = Linear(dim, dim)
        self.value = Linear(dim, dim)
        self.out = Linear(dim, dim)
        self.attention_norm = nn.LayerNorm(dim)
        self.inner = Linear(dim, ffn_dim)
        self.outer = Linear(ffn_dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, frames: list[int], dropout: float = 0.0) -> Tensor:
        """x: (all frames, dim), `frames` of each clip one after another. Returns the same.

        dropout: of both residual branches, for training.
        """
        return self._feed(x, attend(*self._heads(x), frames), dropout)

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x: (all frames, dim). Returns query, key and value, each (all frames, heads, dim of a head)."""
        query, key, value = (f(x).unflatten(-1, (self.heads, -1)) for f in (self.query, self.key, self.value))
        return query, key, value

    def _feed(self, x: Tensor, attended: Tensor, dropout: float) -> Tensor:
        """attended: (all frames, heads, dim of a head). Returns what becomes of x."""
        attended = self.out(attended.flatten(1))
        x = self.attention_norm(x + _dropped(attended, dropout))
        fed = self.outer(self.inner(x, "gelu"))
        out: Tensor = self.norm(x + _dropped(fed, dropout))
        return out


class SpeechEncoder(nn.Module):
    """Waveforms to the hidden states of a transformer layer."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.conv[-1][0]
        self.features = ConvFeatures(config)
        self.feature_norm = nn.LayerNorm(channels)
        self.projection = Linear(channels, config.dim) if config.projected else nn.Identity()
        self.position = PositionalConv(config.dim, config.position_kernel, config.position_groups)
        self.norm = nn.LayerNorm(config.dim)
        self.layers = nn.ModuleList(
            EncoderLayer(config.dim, config.ffn_dim, config.heads) for _ in range(config.layers)
        )

    def embed(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """waveforms: each (samples,) at 16 kHz. Returns what the transformer takes, positions not yet added:
        (frames, dim) of each."""
        features = map_clips(self.features, waveforms)
        frames = [len(clip) for clip in features]
        projected: Tensor = self.projection(self.feature_norm(torch.cat(features)))
        return list(torch.split(projected, frames))

    def contextualize(self, clips: Sequence[Tensor], dropout: float = 0.0) -> list[Tensor]:
        """clips: each (frames, dim). Returns them through the transformer."""
        all_clips = [*clips, *padding_rows(clips)]
        frames = [len(clip) for clip in all_clips]
        x = torch.cat(all_clips) + torch.cat(map_clips(self.position, all_clips))
        x = _dropped(self.norm(x), dropout)
        for layer in self.layers:
            x = layer(x, frames, dropout)
        return list(torch.split(x, frames))[: len(clips)]

    def forward(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """waveforms: each (samples,), at least `config.receptive_field`. Returns (frames, dim) of each."""
        dtype = self.norm.weight.dtype
        return self.contextualize(self.embed([waveform.to(dtype) for waveform in waveforms]))


def _dropped(x: Tensor, share: float) -> Tensor:
    # asked here, as torch.compile can't ask for it in dropout's arguments
    return F.dropout(x, share) if share else x


def attend(query: Tensor, key: Tensor, value: Tensor, frames: list[int]) -> Tensor:
    """Softmax attention of each clip's frames to that clip's frames.

    query, key, value: (all frames, heads, dim), `frames` of each clip one after another. Returns the same shape.
    """
    if len(set(frames)) == 1:
        q, k, v = (x.view(len(frames), -1, *x.shape[1:]).transpose(1, 2) for x in (query, key, value))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(0, 1)
    if query.is_cpu:
        triples = zip(*(torch.split(x, frames) for x in (query, key, value)), strict=True)
        return torch.cat([attend(q, k, v, [len(q)]) for q, k, v in triples])
    return attend_padded(query, key, value, frames)


def attend_padded(query: Tensor, key: Tensor, value: Tensor, frames: list[int]) -> Tensor:
    """`attend` in one call: on a GPU a call costs more than the frames that pad the shorter clips."""
    places, mask = _padding(tuple(frames), query.device)
    q, k, v = (_padded(x, places, mask).transpose(1, 2) for x in (query, key, value))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
    return out.transpose(1, 2).flatten(0, 1)[places]


def _padded(x: Tensor, places: Tensor, mask: Tensor) -> Tensor:
    """x: (all frames, …). Returns (clips, longest, …)."""
    rows = x.new_zeros(mask.numel(), *x.shape[1:]).index_copy(0, places, x)
    return rows.view(*mask.shape, *x.shape[1:])


@lru_cache(maxsize=4)
def _padding(frames: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Where the frames of all clips stand in a padded batch, (all frames,); what is real there, (clips, longest).

    Kept from layer to layer, so that the device is given it once.
    """
    real = torch.arange(max(frames)) < torch.tensor(frames)[:, None]
    return real.flatten().nonzero()[:, 0].to(device), real.to(device)
