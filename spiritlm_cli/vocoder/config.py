"""Configuration of the vocoder: the strict form of its `config.json`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from spiritlm_cli.config import (
    Bounds,
    Count,
    Fraction,
    Size,
    StepSizes,
    from_mapping,
    read_json,
)

# Keys that HiFi-GAN's configuration files have for training only.
_TRAINING_KEYS = (
    *("num_gpus", "batch_size", "learning_rate", "adam_b1", "adam_b2", "lr_decay", "seed", "segment_size"),
    *("num_mels", "num_freq", "n_fft", "hop_size", "win_size", "fmin", "fmax", "fmax_for_loss"),
    *("num_workers", "dist_config", "dur_prediction_weight"),
)

# Kernels and dilations over frames of 40 ms or less.
Kernel = Annotated[int, Bounds(1, 255)]


@dataclass(frozen=True)
class DurationConfig:
    """Sizes of the duration predictor: two convolutions over the embeddings of the units.

    Raises ValueError for an even kernel size.
    """

    encoder_embed_dim: Size
    var_pred_hidden_dim: Size
    var_pred_kernel_size: Kernel = 3
    var_pred_dropout: Fraction = 0.5

    def __post_init__(self) -> None:
        if self.var_pred_kernel_size % 2 == 0:
            raise ValueError(f"var_pred_kernel_size is {self.var_pred_kernel_size}, expected an odd number")


@dataclass(frozen=True)
class HifiGanConfig:
    """The vocoder's `config.json`, by its own keys.

    An expressive vocoder has `num_f0_tokens` and `num_style_tokens`, a base vocoder `num_styles`. Hops are in samples.
    `multispkr` and `multistyle` are true if the network has embeddings of speakers and styles.
    Raises ValueError if the values contradict each other.
    """

    upsample_rates: StepSizes
    upsample_kernel_sizes: StepSizes
    upsample_initial_channel: Size
    resblock_kernel_sizes: Annotated[list[Kernel], Bounds(1, 8)]
    resblock_dilation_sizes: list[Annotated[list[Kernel], Bounds(1, 8)]]
    num_embeddings: Size
    embedding_dim: Size
    model_in_dim: Size
    dur_predictor_params: DurationConfig
    f0: bool = False
    resblock: str = "1"
    code_hop_size: Size = 640
    sampling_rate: Size = 16000
    multispkr: str | bool | None = None
    num_speakers: Count = 0
    multistyle: str | bool | None = None
    num_styles: Count = 0
    num_f0_tokens: Count = 0
    f0_hop_size: Size = 1280
    num_style_tokens: Count = 0
    style_hop_size: Size = 16000
    default_speaker: Count | None = None
    default_style: Count | None = None

    def __post_init__(self) -> None:
        self._check_upsampling()
        if self.f0:
            raise ValueError("f0 is true: networks that take F0 are not known, only those that take units")
        if self.resblock not in ("1", "2"):
            raise ValueError(f"resblock is {self.resblock!r}, expected '1' or '2'")
        if any(size % 2 == 0 for size in self.resblock_kernel_sizes):
            raise ValueError("resblock_kernel_sizes are not all odd")
        if len(self.resblock_kernel_sizes) != len(self.resblock_dilation_sizes):
            raise ValueError("resblock_kernel_sizes and resblock_dilation_sizes differ in length")
        embeddings = 1 + bool(self.multispkr) + bool(self.multistyle) + 2 * self.expressive
        if self.embedding_dim * embeddings != self.model_in_dim:
            raise ValueError(
                f"model_in_dim is {self.model_in_dim}, expected {self.embedding_dim} × {embeddings}"
            )
        if self.dur_predictor_params.encoder_embed_dim != self.embedding_dim:
            raise ValueError(f"encoder_embed_dim of dur_predictor_params is not {self.embedding_dim}")
        styles = self.num_style_tokens if self.expressive else self.num_styles
        for name, count in (
            ("num_speakers", self.num_speakers if self.multispkr else 1),
            ("num_styles", self.num_styles if self.multistyle else 1),
            ("num_style_tokens", self.num_style_tokens if self.expressive else 1),
        ):
            if not count:
                raise ValueError(f"{name} is 0, but the network has embeddings of them")
        for name, count in (("default_speaker", self.num_speakers), ("default_style", styles)):
            default = getattr(self, name)
            if default is not None and not 0 <= default < count:
                raise ValueError(f"{name} is {default}, there are {count}")

    def _check_upsampling(self) -> None:
        hop = math.prod(self.upsample_rates)
        if hop != self.code_hop_size:
            raise ValueError(f"upsample_rates multiply to {hop}, but code_hop_size is {self.code_hop_size}")
        if len(self.upsample_kernel_sizes) != len(self.upsample_rates):
            raise ValueError("upsample_kernel_sizes and upsample_rates differ in length")
        pairs = zip(self.upsample_rates, self.upsample_kernel_sizes, strict=True)
        if any(kernel < rate or (kernel - rate) % 2 for rate, kernel in pairs):
            # Only then does each stage return exactly rate × frames.
            raise ValueError("upsample_kernel_sizes are not each a rate, or that and an even number")

    @property
    def expressive(self) -> bool:
        """Whether the network takes pitch and style units."""
        return self.num_f0_tokens > 0

    @property
    def frame_seconds(self) -> float:
        """Seconds of one frame, which is one phonetic unit at 25 Hz."""
        return self.code_hop_size / self.sampling_rate

    @classmethod
    def read(cls, path: Path) -> "HifiGanConfig":
        """Read a `config.json`. Raises CheckpointError that names the file and the key at fault."""
        return from_mapping(cls, read_json(path), path, ignore=_TRAINING_KEYS)
