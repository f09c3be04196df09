"""Durations of phonetic units: a predictor over units without repeats.

Architecture: the variance predictor of FastSpeech 2 (Ren et al. 2021, arXiv 2006.04558).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.checkpoints.lazy_tensors import iter_tensors, list_tensors
from spiritlm_cli.checkpoints.tensors import TensorFile, build_on_meta, load_into
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.nn.layers import Conv
from spiritlm_cli.vocoder.config import DurationConfig, HifiGanConfig

# The vocoder's tensors that durations depend on, and what they are called in `_DurationModel`.
_TENSOR_PREFIXES = {"dict.": "embedding.", "dur_predictor.": "network."}

# Frames of 40 ms of one unit: 10 s. In natural speech few units have more than 10 frames.
MAX_FRAMES = 250


class DurationNetwork(nn.Module):
    """Two convolutions over unit embeddings, with the parameter names of the release's `dur_predictor`.

    reach: number of units to either side that the duration of a unit depends on.
    """

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

    def forward(self, embeddings: Tensor) -> Tensor:
        """embeddings: (batch, units, dim). Returns (batch, units) float, ln(1 + frames)."""
        x = self.dropout(self.ln1(self.conv1(embeddings)))
        x = self.dropout(self.ln2(self.conv2(x)))
        log_durations: Tensor = self.proj(x)
        return log_durations.squeeze(2)


class _DurationModel(nn.Module):
    """Unit embedding and duration network."""

    def __init__(self, embedding: nn.Embedding, network: DurationNetwork) -> None:
        super().__init__()
        self.embedding, self.network = embedding, network

    def forward(self, hubert: Tensor) -> Tensor:
        """hubert: (batch, units) int64. Returns (batch, units) float, ln(1 + frames)."""
        log_durations: Tensor = self.network(self.embedding(hubert))
        return log_durations


def whole_frames(log_durations: Tensor) -> Tensor:
    """Round predicted durations to frames.

    log_durations: ln(1 + frames), any shape. Returns int64 of the same shape, each at least 1. Raises CheckpointError
    for more than `MAX_FRAMES`, or a duration that is no number: every unit of a sequence would take memory for it.
    """
    frames = torch.exp(log_durations) - 1
    if not (frames <= MAX_FRAMES).all():
        raise CheckpointError(
            f"the duration predictor gives one unit {frames.max():.0f} frames, over {MAX_FRAMES}: its weights are "
            "damaged; --durations keep does without it"
        )
    return torch.round(frames).long().clamp(min=1)


class DurationPredictor:
    """Predicts the duration of phonetic units, on the CPU in float32, so that durations are the same on every device.

    frame_seconds: seconds of one frame. reach: see `DurationNetwork`. num_units: how many phonetic units there are.
    """

    def __init__(self, embedding: nn.Embedding, network: DurationNetwork, frame_seconds: float) -> None:
        self._model = _DurationModel(embedding, network).eval()
        self.frame_seconds = frame_seconds
        self.reach = network.reach
        self.num_units = embedding.num_embeddings

    @classmethod
    def load(cls, checkpoint: Checkpoint, expressive: bool) -> "DurationPredictor":
        """Read the duration predictor of a checkpoint's vocoder, and none of the vocoder's other weights.

        Raises CheckpointError that names the file at fault.
        """
        config_path = checkpoint.vocoder_config(expressive)
        config, path = HifiGanConfig.read(config_path), checkpoint.generator(expressive)
        model = build_on_meta(lambda: _new_model(config), config_path)
        entries = {
            name: entry
            for name, entry in list_tensors(path).items()
            if name.startswith(tuple(_TENSOR_PREFIXES))
        }
        cpu = torch.device("cpu")
        tensors = iter_tensors((entry, cpu, None) for entry in entries.values())
        file = TensorFile(path, dict(zip(entries, tensors, strict=True)))
        load_into(model, fold_weight_norm(file), rename=_model_name)
        model.requires_grad_(False)
        return cls(model.embedding, model.network, config.frame_seconds)

    @torch.inference_mode()
    def frames(self, hubert: Tensor) -> Tensor:
        """hubert: (units,) int64 phonetic ids without repeats. Returns (units,) int64 frames, each at least 1."""
        return whole_frames(self._model(hubert[None])[0])


class DurationTracker:
    """Predicted duration of speech that is generated unit by unit.

    Each step predicts only the last few units, whose duration the new unit can change.
    seconds: duration of all units added so far.
    """

    def __init__(self, predictor: DurationPredictor, prefix: Sequence[int] = ()) -> None:
        """prefix: phonetic ids before the first that counts; their duration is not counted."""
        self._predictor = predictor
        # A new unit changes the last `reach` durations, each of which depends on `reach` units before it.
        self._recent = list(prefix)[-2 * predictor.reach :]
        self._count = 0
        self._settled_frames = 0
        self.seconds = 0.0

    def add(self, unit: int, max_seconds: float | None = None) -> bool:
        """Add a phonetic unit, unless the duration then exceeded `max_seconds`. Returns whether it was added."""
        recent = [*self._recent, unit]
        frames = self._predictor.frames(torch.tensor(recent)).tolist()
        count = self._count + 1
        reach = self._predictor.reach
        open_frames = frames[-min(count, reach + 1) :]
        seconds = (self._settled_frames + sum(open_frames)) * self._predictor.frame_seconds
        if max_seconds is not None and seconds > max_seconds:
            return False
        if count > reach:
            self._settled_frames += open_frames[0]
        self._recent, self._count, self.seconds = recent[-2 * reach :], count, seconds
        return True


def _new_model(config: HifiGanConfig) -> _DurationModel:
    embedding = nn.Embedding(config.num_embeddings, config.embedding_dim)
    return _DurationModel(embedding, DurationNetwork(config.dur_predictor_params))


def _model_name(name: str) -> str:
    """Return the name in `_DurationModel` of a tensor of the vocoder."""
    prefix = next(prefix for prefix in _TENSOR_PREFIXES if name.startswith(prefix))
    return _TENSOR_PREFIXES[prefix] + name.removeprefix(prefix)
