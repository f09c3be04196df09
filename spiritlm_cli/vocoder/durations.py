"""How long each unit lasts: a predictor over units without repeats, FastSpeech 2's (arXiv 2006.04558)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spiritlm_cli.nn.layers import Conv


@dataclass(frozen=True)
class DurationConfig:
    """Sizes of the duration predictor: two convolutions over the embeddings of the units."""

    encoder_embed_dim: int
    var_pred_hidden_dim: int
    var_pred_kernel_size: int = 3
    var_pred_dropout: float = 0.5


class DurationPredictor(nn.Module):
    """(batch, units, dim) embeddings to (batch, units) ln(1 + frames). reach: how many units to either side it sees."""

    def __init__(self, config: DurationConfig) -> None:
        super().__init__()
        hidden, size = config.var_pred_hidden_dim, config.var_pred_kernel_size
        self.reach = 2 * (size // 2)
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


class Timing:
    """How long units last, on the CPU in float32, whatever the sound is made with.

    frame: seconds of a frame. reach: how many units to either side of a unit its duration depends on.
    """

    def __init__(self, embedding: nn.Embedding, predictor: DurationPredictor, frame: float) -> None:
        self._network = nn.Sequential(embedding, predictor).eval()
        self.frame = frame
        self.reach = predictor.reach

    @torch.inference_mode()
    def frames(self, hubert: Tensor) -> Tensor:
        """hubert: (units,) int64 phonetic ids without repeats. Returns (units,) int64, at least 1."""
        return whole_frames(self._network(hubert[None])[0])


class SpeechClock:
    """How long speech is that grows unit by unit; each time, only units whose duration can still change are looked at.

    seconds: of all units added so far.
    """

    def __init__(self, timing: Timing, before: Sequence[int] = ()) -> None:
        """before: phonetic ids that it follows, which are not counted."""
        self._timing = timing
        # the last 2 × reach units: enough to time the last `reach`, which are those that the next one changes
        self._near = list(before)[-2 * timing.reach :]
        self._counted = 0
        self._settled = 0
        self.seconds = 0.0

    def add(self, unit: int, most: float | None = None) -> bool:
        """Count a phonetic unit more; or, where it would be more than `most` seconds then, don't. Returns whether."""
        near = [*self._near, unit]
        frames = self._timing.frames(torch.tensor(near)).tolist()
        counted = self._counted + 1
        reach = self._timing.reach
        open_frames = frames[-min(counted, reach + 1) :]
        seconds = (self._settled + sum(open_frames)) * self._timing.frame
        if most is not None and seconds > most:
            return False
        if counted > reach:
            self._settled += open_frames[0]
        self._near, self._counted, self.seconds = near[-2 * reach :], counted, seconds
        return True
