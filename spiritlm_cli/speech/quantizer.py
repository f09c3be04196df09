"""Quantizers: HuBERT features to phonetic units, by linear layers trained with CTC or by k-means."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints.kmeans_pickles import read_kmeans
from spiritlm_cli.checkpoints.tensors import (
    TensorFile,
    build_on_meta,
    convert_weight,
    load_into,
    read_tensors,
)
from spiritlm_cli.config import Size, from_mapping
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.nn.layers import Linear
from spiritlm_cli.tokens.units import IntArray


@dataclass(frozen=True)
class QuantizerConfig:
    """`model_cfg` of the file, by its own keys. dim: of the features. upstream_dim: determines the hidden widths.

    Raises ValueError if these leave no hidden width.
    """

    vocab_size: Size
    dim: Size
    upstream_dim: Size

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise ValueError(f"the widths of the layers, {self.widths}, are not all 1 or more")

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Widths from input to output: dim, dim − m // 4, dim − m // 2, n; n = vocab_size + 1, m = upstream_dim − n."""
        m = self.upstream_dim - (self.vocab_size + 1)
        return (self.dim, self.dim - m // 4, self.dim - m // 2, self.vocab_size + 1)


class LinearQuantizer(nn.Module):
    """Augmentation-invariant quantizer (Gat et al. 2023, arXiv 2209.15483): three linear layers, trained with CTC."""

    def __init__(self, config: QuantizerConfig) -> None:
        super().__init__()
        self.config = config
        a, b, c, d = config.widths
        self.layers = nn.Sequential(
            Linear(a, b), nn.LeakyReLU(0.01), Linear(b, c), nn.LeakyReLU(0.01), Linear(c, d)
        )

    @property
    def blank(self) -> int:
        """The class of the CTC blank: the last one."""
        return self.config.vocab_size

    @property
    def num_units(self) -> int:
        """Number of units, without the blank."""
        return self.config.vocab_size

    @property
    def dim(self) -> int:
        """Width of the features."""
        return self.config.dim

    def logits(self, features: Tensor) -> Tensor:
        """features: (…, frames, dim). Returns (…, frames, units + 1)."""
        out: Tensor = self.layers(features)
        return out

    def forward(self, features: Tensor) -> Tensor:
        """features: (frames, dim). Returns (frames,) int64 classes, including the blank: see `fill_blanks`."""
        return self.logits(features).argmax(-1)


class KMeansQuantizer(nn.Module):
    """K-means quantizer: the unit of a frame is its nearest center, the first one of several as near."""

    centers: Tensor
    blank = None

    def __init__(self, centers: Tensor) -> None:
        """centers: (units, dim)."""
        super().__init__()
        self.register_buffer("centers", centers.float())

    @property
    def num_units(self) -> int:
        """Number of units."""
        return self.centers.shape[0]

    @property
    def dim(self) -> int:
        """Width of the features."""
        return self.centers.shape[1]

    def forward(self, features: Tensor) -> Tensor:
        """features: (frames, dim). Returns (frames,) int64 units."""
        return torch.cdist(features, self.centers, compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)


def fill_blanks(classes: IntArray, blank: int | None) -> IntArray:
    """Replace each blank by the last unit before it; blanks at the start by the clip's last unit.

    classes: (frames,) int64 of a whole clip. A clip of blanks only is returned unchanged.
    """
    units = np.flatnonzero(classes != blank)
    if not len(units):
        return classes
    # Frames before the first unit get the index −1, which is the last unit.
    filled: IntArray = classes[units[np.searchsorted(units, np.arange(len(classes)), side="right") - 1]]
    return filled


def load_quantizer(path: Path) -> LinearQuantizer | KMeansQuantizer:
    """Load a quantizer; the tensors in the file determine which kind it is. A `.bin` file is scikit-learn's k-means.

    Raises CheckpointError.
    """
    is_pickle = path.suffix == ".bin"
    file = TensorFile(path, {"cluster_centers": read_kmeans(path)}) if is_pickle else read_tensors(path)
    centers = file.tensors.get("cluster_centers")
    if centers is not None:
        if centers.ndim != 2 or not centers.numel():
            raise CheckpointError(f"{path}: cluster_centers is {tuple(centers.shape)}, expected (units, dim)")
        centers = convert_weight(path, "cluster_centers", centers, torch.float32)
        return KMeansQuantizer(centers).eval().requires_grad_(False)
    if not isinstance(file.config.get("model_cfg"), dict):
        raise CheckpointError(f"{path}: neither a linear quantizer (model_cfg) nor k-means (cluster_centers)")
    config = from_mapping(QuantizerConfig, file.config["model_cfg"], path, key="model_cfg")
    model = build_on_meta(lambda: LinearQuantizer(config), path)
    load_into(model, file, rename=lambda name: f"layers.{name}")
    return model.eval().requires_grad_(False)


def quantizer_layer(path: Path) -> int:
    """Return the HuBERT layer (from 1) that a quantizer is for, from its name.

    It is 11 for `L11_quantizer_500.pt` and `mhubert_base_25hz_L11_km500.bin`. Raises CheckpointError if the name has no
    layer.
    """
    match = re.search(r"(?:^|_)L(\d+)_", path.name)
    if match is None:
        raise CheckpointError(f"{path}: a quantizer's name has its layer, as L11_quantizer_500.pt")
    return int(match[1])
