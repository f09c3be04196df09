"""The encoder of HuBERT base and wav2vec 2.0 base: convolutions over the waveform, then a transformer.

Sources: Baevski et al. 2020 (arXiv 2006.11477), Hsu et al. 2021 (arXiv 2106.07447).

A batch of clips of any lengths is computed without padding. Operations over time (convolutions, attention) run on each
clip separately; operations on single frames (linear layers, norms) run on the frames of all clips as one matrix. The
result for a clip thus doesn't depend on the other clips in its batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spiritlm_cli.nn.layers import Conv, Linear, bucket_padding, linear, map_clips, padding_rows
from spiritlm_cli.speech.windows import MIN_SAMPLES

# Frames that the convolutions compute at a time, which bounds their memory; chunks are multiples of the step.
_CHUNK = 100
_CHUNK_STEP = 10


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of the encoder.

    conv: (channels, kernel, stride) of each convolution. dim: width of the transformer. position_kernel,
    position_groups: of the convolution that encodes positions. projected: whether a linear layer maps the channels of
    the last convolution to `dim`.
    Raises ValueError if there are no convolutions, if one frame takes more than the shortest clip, or if the
    heads don't divide the width.
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
        if self.receptive_field > MIN_SAMPLES:
            raise ValueError(
                f"one frame takes {self.receptive_field} samples, and the shortest clip has {MIN_SAMPLES}"
            )
        if self.heads < 1 or self.dim % self.heads:
            raise ValueError(f"{self.heads} heads don't divide a width of {self.dim}")

    @property
    def hop(self) -> int:
        """Samples from one frame to the next: the product of the strides."""
        hop = 1
        for _, _, stride in self.conv:
            hop *= stride
        return hop

    @property
    def receptive_field(self) -> int:
        """Samples that one frame is computed from by the convolutions: the length of the shortest clip."""
        field, hop = 1, 1
        for _, kernel, stride in self.conv:
            field += (kernel - 1) * hop
            hop *= stride
        return field


class ConvFeatures(nn.Module):
    """The convolutional feature extractor.

    A GroupNorm with one group per channel follows the first convolution. It normalizes over time, so each frame depends
    on the whole clip.
    """

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
        """waveform: (batch, samples), all of one length. Returns (batch, frames, channels)."""
        first = [self._fold_norm(clip) for clip in waveform]
        if torch.is_grad_enabled():
            return self._convolve(waveform, first)
        frames = (waveform.shape[1] - self.receptive_field) // self.hop + 1
        out = waveform.new_empty(len(waveform), frames, self.channels)
        for i, clip in enumerate(waveform):
            for start, stop in _chunks(frames):
                samples = clip[start * self.hop : (stop - 1) * self.hop + self.receptive_field]
                out[i, start:stop] = self._convolve(samples[None], first[i : i + 1])[0]
        return out

    def _fold_norm(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first convolution and its norm over this clip as one: weight (channels, kernel), bias (channels,).

        clip: (samples,). The mean and variance of a convolution's output follow from those of its inputs: if all
        segments of the kernel's length have mean m and covariance C, the output of weight w has w·m and w·C·w.
        """
        # Double precision, because C of a waveform is nearly singular, and w·C·w small compared to its entries.
        segments = clip.double().unfold(0, self.kernel, self.stride)
        mean = segments.mean(0)
        centered = segments - mean
        covariance = centered.T @ centered / len(segments)
        weight = self.convs[0].get_parameter("weight")[:, 0].double()
        variance = ((weight @ covariance) * weight).sum(1)
        scale = self.norm.weight.double() / torch.sqrt(variance + self.norm.eps)
        bias = self.norm.bias.double() - (weight @ mean) * scale
        return (weight * scale[:, None]).to(clip.dtype), bias.to(clip.dtype)

    def _convolve(self, waveform: Tensor, first: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """waveform: (batch, samples). first: `_fold_norm` of each clip. Returns (batch, frames, channels)."""
        segments = waveform.unfold(1, self.kernel, self.stride)
        rows = [
            linear(clip, weight, bias, "gelu")[None]
            for clip, (weight, bias) in zip(segments, first, strict=True)
        ]
        x = rows[0] if len(rows) == 1 else torch.cat(rows)
        for conv in self.convs[1:]:
            x = conv(x, "gelu")
        return x


def _chunks(frames: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of chunks that cover `frames` frames.

    Chunks may overlap, so that they have few different sizes: oneDNN keeps a compiled kernel for each.
    """
    stop = 0
    while stop < frames:
        size = min(_CHUNK, -(-(frames - stop) // _CHUNK_STEP) * _CHUNK_STEP)
        if size > frames:
            size = frames // _CHUNK_STEP * _CHUNK_STEP or frames
        start = min(stop, frames - size)
        stop = start + size
        yield start, stop


class PositionalConv(nn.Module):
    """Encodes relative positions by a wide grouped convolution. The last frame that an even kernel adds is dropped."""

    def __init__(self, dim: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.conv = Conv(dim, dim, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, frames, dim). Returns the same shape."""
        # Zeros after the end are what the convolution pads with anyway.
        padded = F.pad(x, (0, 0, 0, bucket_padding(x.shape[1])))
        out: Tensor = self.conv(padded, "gelu")
        return out[:, : x.shape[1]]


class EncoderLayer(nn.Module):
    """A transformer layer with the norms after the residual additions."""

    compiled = ("_heads", "_feed_forward")

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
        """x: (all frames, dim), the clips one after another. frames: of each clip. Returns the shape of x.

        dropout: rate for both residual branches, in training.
        """
        return self._feed_forward(x, attend(*self._heads(x), frames), dropout)

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x: (all frames, dim). Returns query, key and value, each (all frames, heads, head dim)."""
        query, key, value = (f(x).unflatten(-1, (self.heads, -1)) for f in (self.query, self.key, self.value))
        return query, key, value

    def _feed_forward(self, x: Tensor, attended: Tensor, dropout: float) -> Tensor:
        """x: (all frames, dim). attended: (all frames, heads, head dim). Returns the shape of x."""
        attended = self.out(attended.flatten(1))
        x = self.attention_norm(x + _dropout(attended, dropout))
        output = self.outer(self.inner(x, "gelu"))
        out: Tensor = self.norm(x + _dropout(output, dropout))
        return out


class SpeechEncoder(nn.Module):
    """Computes the hidden states of the last transformer layer from waveforms."""

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
        """Compute the transformer's input, without positions.

        waveforms: each (samples,) at 16 kHz. Returns (frames, dim) for each.
        """
        features = map_clips(self.features, waveforms)
        frames = [len(clip) for clip in features]
        projected: Tensor = self.projection(self.feature_norm(torch.cat(features)))
        return list(torch.split(projected, frames))

    def contextualize(self, clips: Sequence[Tensor], dropout: float = 0.0) -> list[Tensor]:
        """Run the transformer. clips: each (frames, dim), from `embed`. Returns (frames, dim) for each."""
        all_clips = [*clips, *padding_rows(clips)]
        frames = [len(clip) for clip in all_clips]
        x = torch.cat(all_clips) + torch.cat(map_clips(self.position, all_clips))
        x = _dropout(self.norm(x), dropout)
        for layer in self.layers:
            x = layer(x, frames, dropout)
        return list(torch.split(x, frames))[: len(clips)]

    def forward(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """waveforms: each (samples,) at 16 kHz, at least `config.receptive_field`. Returns (frames, dim) for each."""
        dtype = self.norm.weight.dtype
        return self.contextualize(self.embed([waveform.to(dtype) for waveform in waveforms]))


def _dropout(x: Tensor, rate: float) -> Tensor:
    # Checked here, because torch.compile can't trace dropout's own check of a symbolic rate.
    return F.dropout(x, rate) if rate else x


def attend(query: Tensor, key: Tensor, value: Tensor, frames: list[int]) -> Tensor:
    """Softmax attention within each clip.

    query, key, value: (all frames, heads, head dim), the clips one after another. frames: of each clip.
    Returns the shape of query.
    """
    if len(set(frames)) == 1:
        q, k, v = (x.view(len(frames), -1, *x.shape[1:]).transpose(1, 2) for x in (query, key, value))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(0, 1)
    if query.is_cpu:
        triples = zip(*(torch.split(x, frames) for x in (query, key, value)), strict=True)
        return torch.cat([attend(q, k, v, [len(q)]) for q, k, v in triples])
    return attend_padded(query, key, value, frames)


def attend_padded(query: Tensor, key: Tensor, value: Tensor, frames: list[int]) -> Tensor:
    """`attend` in one call on padded clips: on a GPU, further calls cost more than padding."""
    indices, mask = _padding(tuple(frames), query.device)
    q, k, v = (_pad(x, indices, mask).transpose(1, 2) for x in (query, key, value))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
    return out.transpose(1, 2).flatten(0, 1)[indices]


def _pad(x: Tensor, indices: Tensor, mask: Tensor) -> Tensor:
    """x: (all frames, …). Returns (clips, longest, …)."""
    rows = x.new_zeros(mask.numel(), *x.shape[1:]).index_copy(0, indices, x)
    return rows.view(*mask.shape, *x.shape[1:])


@lru_cache(maxsize=4)
def _padding(frames: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the indices of all frames in a flattened padded batch, (all frames,), and its mask, (clips, longest).

    Cached, because every layer uses the same, so that they are copied to the device once.
    """
    mask = torch.arange(max(frames)) < torch.tensor(frames)[:, None]
    return mask.flatten().nonzero()[:, 0].to(device), mask.to(device)
