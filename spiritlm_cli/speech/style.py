"""Style units: a wav2vec 2.0 classifier of each second of a clip, with the tensor names of transformers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spiritlm_cli.checkpoints.tensors import build_on_meta, load_into, read_tensors, rename_tensor
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm
from spiritlm_cli.config import (
    Count,
    Fraction,
    Layers,
    Size,
    Sizes,
    Steps,
    StepSizes,
    from_mapping,
    read_json,
)
from spiritlm_cli.nn.layers import Linear
from spiritlm_cli.speech.encoder import EncoderConfig, SpeechEncoder

# Frames at 50 Hz of one style unit: a second.
FRAMES_PER_UNIT = 50

# From the names of layers in transformers to this module's; `{}` is a layer's index.
NAMES = {
    "wav2vec2.feature_extractor.conv_layers.{}.conv": "encoder.features.convs.{}",
    "wav2vec2.feature_extractor.conv_layers.0.layer_norm": "encoder.features.norm",
    "wav2vec2.feature_projection.layer_norm": "encoder.feature_norm",
    "wav2vec2.feature_projection.projection": "encoder.projection",
    "wav2vec2.encoder.pos_conv_embed.conv": "encoder.position.conv",
    "wav2vec2.encoder.layer_norm": "encoder.norm",
    "wav2vec2.encoder.layers.{}.attention.q_proj": "encoder.layers.{}.query",
    "wav2vec2.encoder.layers.{}.attention.k_proj": "encoder.layers.{}.key",
    "wav2vec2.encoder.layers.{}.attention.v_proj": "encoder.layers.{}.value",
    "wav2vec2.encoder.layers.{}.attention.out_proj": "encoder.layers.{}.out",
    "wav2vec2.encoder.layers.{}.layer_norm": "encoder.layers.{}.attention_norm",
    "wav2vec2.encoder.layers.{}.feed_forward.intermediate_dense": "encoder.layers.{}.inner",
    "wav2vec2.encoder.layers.{}.feed_forward.output_dense": "encoder.layers.{}.outer",
    "wav2vec2.encoder.layers.{}.final_layer_norm": "encoder.layers.{}.norm",
    "projector": "projector",
    "classifier": "classifier",
}
# Tensors for training only.
_UNUSED = ("_float_tensor", "wav2vec2.masked_spec_embed")


@dataclass(frozen=True)
class StyleConfig:
    """The keys of `config.json` that determine the network; transformers writes many more, which are ignored.

    Raises ValueError for variants of wav2vec 2.0 that are not supported.
    """

    hidden_size: Size
    num_hidden_layers: Layers
    num_attention_heads: Steps
    intermediate_size: Size
    conv_dim: Sizes
    conv_kernel: StepSizes
    conv_stride: StepSizes
    num_conv_pos_embeddings: Steps
    num_conv_pos_embedding_groups: Steps
    classifier_proj_size: Size
    id2label: dict[str, str | Count]
    hidden_act: str = "gelu"
    conv_bias: bool = False
    feat_extract_norm: str = "group"
    feat_extract_activation: str = "gelu"
    do_stable_layer_norm: bool = False
    layer_norm_eps: Fraction = 1e-5

    def __post_init__(self) -> None:
        supported = {
            "hidden_act": "gelu",
            "conv_bias": False,
            "feat_extract_norm": "group",
            "feat_extract_activation": "gelu",
            "do_stable_layer_norm": False,
            "layer_norm_eps": 1e-5,
        }
        for name, value in supported.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} is {getattr(self, name)!r}; only {value!r} is known")
        if not len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride):
            raise ValueError("conv_dim, conv_kernel and conv_stride differ in length")

    @property
    def encoder(self) -> EncoderConfig:
        """Configuration of the encoder."""
        return EncoderConfig(
            conv=tuple(zip(self.conv_dim, self.conv_kernel, self.conv_stride, strict=True)),
            dim=self.hidden_size,
            ffn_dim=self.intermediate_size,
            heads=self.num_attention_heads,
            layers=self.num_hidden_layers,
            position_kernel=self.num_conv_pos_embeddings,
            position_groups=self.num_conv_pos_embedding_groups,
        )

    @classmethod
    def read(cls, path: Path) -> "StyleConfig":
        """Read a `config.json`. Raises CheckpointError."""
        return cls.parse(read_json(path), path)

    @classmethod
    def parse(cls, content: dict[str, Any], path: Path) -> "StyleConfig":
        """Parse the content of a `config.json`. path: the name for it in errors. Raises CheckpointError."""
        return from_mapping(cls, content, path, ignore=set(content) - set(cls.__dataclass_fields__))


class StyleEncoder(nn.Module):
    """Classifies the style of each second of a clip."""

    def __init__(self, config: StyleConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = SpeechEncoder(config.encoder)
        self.projector = Linear(config.hidden_size, config.classifier_proj_size)
        self.classifier = Linear(config.classifier_proj_size, len(config.id2label))

    @classmethod
    def load(cls, path: Path) -> "StyleEncoder":
        """Load the classifier from a file, with `config.json` beside it. Raises CheckpointError."""
        config_path = path.parent / "config.json"
        config = StyleConfig.read(config_path)
        model = build_on_meta(lambda: cls(config), config_path)
        load_into(
            model,
            fold_weight_norm(read_tensors(path)),
            rename=lambda name: rename_tensor(name, NAMES),
            ignore=_UNUSED,
        )
        return model.eval().requires_grad_(False)

    def logits(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """waveforms: each (samples,) at 16 kHz. Returns (seconds, styles) for each; the last second can be partial."""
        encoded = self.encoder([_normalize(waveform) for waveform in waveforms])
        frames = [len(clip) for clip in encoded]
        projected = torch.split(self.projector(torch.cat(encoded)), frames)
        means = [
            torch.stack([second.mean(0) for second in torch.split(clip, FRAMES_PER_UNIT)])
            for clip in projected
        ]
        logits: Tensor = self.classifier(torch.cat(means))
        return list(torch.split(logits, [len(clip) for clip in means]))

    def forward(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """waveforms: each (samples,) at 16 kHz. Returns (seconds,) int64 units for each."""
        return [logits.argmax(1) for logits in self.logits(waveforms)]


def _normalize(waveform: Tensor) -> Tensor:
    """Normalize (samples,) to mean 0 and variance 1, as the feature extractor of facebook/wav2vec2-base does."""
    centered = waveform - waveform.mean()
    return centered / torch.sqrt(centered.square().mean() + 1e-7)


def release_state_dict(model: StyleEncoder) -> dict[str, Tensor]:
    """Return a model's tensors, named as in the release's file; `StyleEncoder.load` reads them."""
    file_names = {ours: name for name, ours in NAMES.items()}
    return {rename_tensor(name, file_names): tensor for name, tensor in model.state_dict().items()}
