"""The network that HuBERT base and wav2vec2 base share: convolutions over the waveform, then a transformer."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F


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

    def __init__(self, layers: tuple[tuple[int, int, int], ...]) -> None:
        super().__init__()
        channels = [1, *(layer[0] for layer in layers)]
        self.convs = nn.ModuleList(
            nn.Conv1d(channels[i], out, kernel, stride, bias=False)
            for i, (out, kernel, stride) in enumerate(layers)
        )
        self.norm = nn.GroupNorm(channels[1], channels[1])

    def forward(self, waveform: Tensor) -> Tensor:
        """(batch, samples) to (batch, frames, channels)."""
        x = waveform[:, None]
        for i, conv in enumerate(self.convs):
            x = conv(x)
            x = F.gelu(self.norm(x) if i == 0 else x)
        return x.transpose(1, 2)


class PositionalConv(nn.Module):
    """Relative position by a wide grouped convolution; an even kernel gives a frame too many, which is dropped."""

    def __init__(self, dim: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, dim) to the same."""
        return F.gelu(self.conv(x.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Post-norm transformer layer."""

    def __init__(self, dim: int, ffn_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        self.attention_norm = nn.LayerNorm(dim)
        self.inner = nn.Linear(dim, ffn_dim)
        self.outer = nn.Linear(ffn_dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, dropout: float = 0.0) -> Tensor:
        """(batch, frames, dim) to the same. dropout: of both residual branches, for training."""
        query, key, value = (
            f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value)
        )
        attended = self.out(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))
        x = self.attention_norm(x + F.dropout(attended, dropout, dropout > 0))
        fed = self.outer(F.gelu(self.inner(x)))
        out: Tensor = self.norm(x + F.dropout(fed, dropout, dropout > 0))
        return out


class SpeechEncoder(nn.Module):
    """Waveform to the hidden states of a transformer layer."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.conv[-1][0]
        self.features = ConvFeatures(config.conv)
        self.feature_norm = nn.LayerNorm(channels)
        self.projection = nn.Linear(channels, config.dim) if config.projected else nn.Identity()
        self.position = PositionalConv(config.dim, config.position_kernel, config.position_groups)
        self.norm = nn.LayerNorm(config.dim)
        self.layers = nn.ModuleList(
            EncoderLayer(config.dim, config.ffn_dim, config.heads) for _ in range(config.layers)
        )

    def embed(self, waveform: Tensor) -> Tensor:
        """(batch, samples) at 16 kHz to what the transformer takes, (batch, frames, dim), positions not yet added."""
        projected: Tensor = self.projection(self.feature_norm(self.features(waveform)))
        return projected

    def contextualize(self, x: Tensor, dropout: float = 0.0) -> Tensor:
        """(batch, frames, dim) through the transformer to the same."""
        x = F.dropout(self.norm(x + self.position(x)), dropout, dropout > 0)
        for layer in self.layers:
            x = layer(x, dropout)
        return x

    def forward(self, waveform: Tensor) -> Tensor:
        """(batch, samples), all of one length of at least `config.receptive_field`, to (batch, frames, dim)."""
        return self.contextualize(self.embed(waveform))
