"""Quantizers: HuBERT features to phonetic units, by three linear layers trained with CTC or by nearest centre."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints.tensors import build_on_meta, load_into, read_tensors
from spiritlm_cli.config import from_mapping
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.nn.layers import Linear
from spiritlm_cli.tokens.units import IntArray


@dataclass(frozen=True)
class QuantizerConfig:
    """`model_cfg` of the file. upstream_dim sets the widths of the middle layers."""

    vocab_size: int
    dim: int
    upstream_dim: int

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """dim → dim − m//4 → dim − m//2 → units and the blank, with m = upstream_dim − (vocab_size + 1)."""
        m = self.upstream_dim - (self.vocab_size + 1)
        return (self.dim, self.dim - m // 4, self.dim - m // 2, self.vocab_size + 1)


class LinearQuantizer(nn.Module):
    """Augmentation-invariant units (Gat et al. 2023): the last class is the CTC blank."""

    def __init__(self, config: QuantizerConfig) -> None:
        super().__init__()
        self.config = config
        a, b, c, d = config.widths
        self.layers = nn.Sequential(
            Linear(a, b), nn.LeakyReLU(0.01), Linear(b, c), nn.LeakyReLU(0.01), Linear(c, d)
        )

    @property
    def blank(self) -> int:
        """The class that stands for no unit."""
        return self.config.vocab_size

    @property
    def dim(self) -> int:
        """Width of the features that it takes."""
        return self.config.dim

    def logits(self, features: Tensor) -> Tensor:
        """(…, frames, dim) to (…, frames, units + 1)."""
        out: Tensor = self.layers(features)
        return out

    def forward(self, features: Tensor) -> Tensor:
        """(frames, dim) to classes (frames,) int64, the blank among them: see `fill_blanks`."""
        return self.logits(features).argmax(-1)


class KMeansQuantizer(nn.Module):
    """The nearest of some centres."""

    centers: Tensor
    blank = None

    def __init__(self, centers: Tensor) -> None:
        """centers: (units, dim)."""
        super().__init__()
        self.register_buffer("centers", centers.float())

    @property
    def dim(self) -> int:
        """Width of the features that it takes."""
        return self.centers.shape[1]

    def forward(self, features: Tensor) -> Tensor:
        """(frames, dim) to units (frames,) int64."""
        return torch.cdist(features, self.centers, compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)


def fill_blanks(classes: IntArray, blank: int | None) -> IntArray:
    """Each blank becomes the nearest other class to its left, from the end again where the start is blank.

    classes: (frames,) of a whole clip. Blanks alone stay as they are.
    """
    spoken = np.flatnonzero(classes != blank)
    if not len(spoken):
        return classes
    # before the first, the place −1 is the last
    filled: IntArray = classes[spoken[np.searchsorted(spoken, np.arange(len(classes)), side="right") - 1]]
    return filled


def load_quantizer(path: Path) -> LinearQuantizer | KMeansQuantizer:
    """Either form, told by what the file holds. Raises CheckpointError."""
    file = read_tensors(path)
    centers = file.tensors.get("cluster_centers")
    if centers is not None:
        if centers.ndim != 2:
            raise CheckpointError(f"{path}: cluster_centers is {tuple(centers.shape)}, expected (units, dim)")
        return KMeansQuantizer(centers).eval().requires_grad_(False)
    if not isinstance(file.config.get("model_cfg"), dict):
        raise CheckpointError(f"{path}: neither a linear quantizer (model_cfg) nor k-means (cluster_centers)")
    config = from_mapping(QuantizerConfig, file.config["model_cfg"], path)
    model = build_on_meta(lambda: LinearQuantizer(config), path)
    load_into(model, file, rename=lambda name: f"layers.{name}")
    return model.eval().requires_grad_(False)


def quantizer_layer(path: Path) -> int:
    """The HuBERT layer (from 1) that a quantizer is for, from its file's name: 11 of `L11_quantizer_500.pt`."""
    number = re.match(r"L(\d+)_", path.name)
    if number is None:
        raise CheckpointError(f"{path}: a quantizer's name begins with its layer, as L11_quantizer_500.pt")
    return int(number[1])
