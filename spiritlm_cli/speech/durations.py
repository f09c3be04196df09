"""How long each unit lasts: a predictor over units without repeats, FastSpeech 2's (arXiv 2006.04558)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spiritlm_cli.speech.layers import Conv


@dataclass(frozen=True)
class DurationConfig:
    """Sizes of the duration predictor: two convolutions over the embeddings of the units."""

    encoder_embed_dim: int
    var_pred_hidden_dim: int
    var_pred_kernel_size: int = 3
    var_pred_dropout: float = 0.5


class DurationPredictor(nn.Module):
    """(batch, units, dim) embeddings to (batch, units) ln(1 + frames)."""

    def __init__(self, config: DurationConfig) -> None:
        super().__init__()
        hidden, size = config.var_pred_hidden_dim, config.var_pred_kernel_size
        self.conv1 = nn.Sequential(Conv(config.encoder_embed_dim, hidden, size, padding=size // 2), nn.ReLU())
        self.ln1 = nn.LayerNorm(hidden)
        self.conv2 = nn.Sequential(Conv(hidden, hidden, size, padding=size // 2), nn.ReLU())
        self.ln2 = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(config.var_pred_dropout)
        self.proj = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.ln1(self.conv1(x)))
        x = self.dropout(self.ln2(self.conv2(x)))
        predicted: Tensor = self.proj(x)
        return predicted.squeeze(2)


def whole_frames(log_durations: Tensor) -> Tensor:
    """ln(1 + frames) of any shape to frames, int64, at least 1."""
    return torch.round(torch.exp(log_durations) - 1).long().clamp(min=1)
