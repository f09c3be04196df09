"""The model that HuBERT's training trains, and its masks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.checkpoints.tensors import read_tensors
from spiritlm_cli.console import notify
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.hubert import Hubert, HubertConfig, HubertTask, hubert_weights
from spiritlm_cli.speech.windows import SAMPLE_RATE


class Pretraining(nn.Module):
    """HuBERT with the mask embedding and the classifier of labels, which only training needs."""

    def __init__(self, config: HubertConfig, units: int) -> None:
        super().__init__()
        self.hubert = Hubert(config, HubertTask(label_rate=config.label_rate))
        self.mask = nn.Parameter(torch.rand(config.encoder_embed_dim))
        self.classifier = nn.Linear(config.encoder_embed_dim, units)

    @property
    def rate(self) -> int:
        """Frames per second."""
        return SAMPLE_RATE // self.hubert.config.encoder.hop

    @classmethod
    def load(cls, path: Path, units: int, rate: int = 25) -> "Pretraining":
        """Load weights as `Hubert.load`. The classifier is loaded if it has `units` classes, otherwise it is new.

        rate: frames per second. A model of twice as many gets one more convolution.
        Raises CheckpointError for an invalid file, and for weights of another rate.
        """
        file = read_tensors(hubert_weights(path))
        hubert = _at_rate(Hubert.load(path), rate, path)
        model = cls(hubert.config, units)
        model.hubert = hubert.train().requires_grad_(True)
        with torch.no_grad():
            for name in ("mask_emb", "masked_spec_embed"):
                model.mask.copy_(file.tensors.get(name, model.mask))
            weight, bias = file.tensors.get("final_proj.weight"), file.tensors.get("final_proj.bias")
            if weight is not None and bias is not None and weight.shape == model.classifier.weight.shape:
                model.classifier.weight.copy_(weight)
                model.classifier.bias.copy_(bias)
        return model

    def forward(self, waveform: Tensor, masked: Tensor, dropout: float) -> Tensor:
        """Predict the labels of frames.

        waveform: (batch, samples) at 16 kHz. masked: (batch, ≥ frames) bool, frames to mask. dropout: rate in the
        transformer. Returns logits (batch, frames, units).
        """
        x = torch.stack(self.hubert.encoder.embed(self.hubert.prepare(waveform.unbind())))
        x = torch.where(masked[:, : x.shape[1], None], self.mask.to(x.dtype), x)
        x = torch.stack(self.hubert.encoder.contextualize(x.unbind(), dropout))
        logits: Tensor = self.classifier(x)
        return logits


def trained_hubert(output: Path) -> Path:
    """The weights that `train hubert` has written to an output folder. Raises CheckpointError if there are none."""
    try:
        return Checkpoint(output, output.name).hubert
    except CheckpointError as error:
        raise CheckpointError(
            f"{error}; first train it, by `spiritlm train hubert` with the same --output"
        ) from error


def spans(shape: tuple[int, int], share: float, rng: np.random.Generator, length: int = 5) -> Tensor:
    """Draw a mask of random, possibly overlapping spans of `length` frames that covers about `share` of the frames.

    shape: (batch, frames). Returns bool.
    """
    starts = rng.random(shape) < share / length
    mask = starts.copy()
    for shift in range(1, length):
        mask[:, shift:] |= starts[:, :-shift]
    return torch.from_numpy(mask)


def halve_rate(hubert: Hubert) -> Hubert:
    """Append a convolution of kernel 2 and stride 2, after which there are half as many frames.

    At first each of its channels is the mean of two frames of the channel before it, so that the transformer's input
    is close to what it was trained on. A model of 50 Hz becomes one with TWIST's eight convolutions (Hassid et al.
    2023, arXiv 2305.13009).
    """
    channels = hubert.config.encoder.conv[-1][0]
    rate = hubert.config.label_rate / 2
    layers = [*hubert.config.encoder.conv, (channels, 2, 2)]
    config = replace(hubert.config, conv_feature_layers=str(layers), label_rate=rate)
    longer = Hubert(config, replace(hubert.task, label_rate=rate))
    mean = torch.eye(channels)[..., None].expand(-1, -1, 2) / 2
    weights = {f"encoder.features.convs.{len(layers) - 1}.weight": mean}
    longer.load_state_dict(hubert.state_dict() | weights)
    return longer


def _at_rate(hubert: Hubert, rate: int, path: Path) -> Hubert:
    """Return a model with `rate` frames per second, one convolution longer if it has twice as many.

    path: its file. Raises CheckpointError for another rate.
    """
    have = SAMPLE_RATE // hubert.config.encoder.hop
    if rate == have:
        return hubert
    if have != 2 * rate:
        raise CheckpointError(
            f"{path}: has {have} frames per second, so --rate is {have} or {have // 2}, not {rate}"
        )
    notify(f"{path}: {have} frames per second; one more convolution, of stride 2, makes them {rate}")
    return halve_rate(hubert)
