"""Hugging Face folders of wav2vec 2.0 and HuBERT: the configuration and the tensor names of transformers."""

from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from spiritlm_cli.config import Fraction, Layers, Size, Sizes, Steps, StepSizes, from_mapping, read_json
from spiritlm_cli.speech.encoder import EncoderConfig

Config = TypeVar("Config", bound="HuggingFaceConfig")

# From the names of layers in transformers to those of `SpeechEncoder`; `{}` is a layer's index.
NAMES = {
    "feature_extractor.conv_layers.{}.conv": "features.convs.{}",
    "feature_extractor.conv_layers.0.layer_norm": "features.norm",
    "feature_projection.layer_norm": "feature_norm",
    "feature_projection.projection": "projection",
    "encoder.pos_conv_embed.conv": "position.conv",
    "encoder.layer_norm": "norm",
    "encoder.layers.{}.attention.q_proj": "layers.{}.query",
    "encoder.layers.{}.attention.k_proj": "layers.{}.key",
    "encoder.layers.{}.attention.v_proj": "layers.{}.value",
    "encoder.layers.{}.attention.out_proj": "layers.{}.out",
    "encoder.layers.{}.layer_norm": "layers.{}.attention_norm",
    "encoder.layers.{}.feed_forward.intermediate_dense": "layers.{}.inner",
    "encoder.layers.{}.feed_forward.output_dense": "layers.{}.outer",
    "encoder.layers.{}.final_layer_norm": "layers.{}.norm",
}


@dataclass(frozen=True, kw_only=True)
class HuggingFaceConfig:
    """The keys of `config.json` that determine the encoder; transformers writes many more, which are ignored.

    Of the keys with a default, only the default is supported. Raises ValueError for variants that are not supported.
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
    hidden_act: str = "gelu"
    conv_bias: bool = False
    conv_pos_batch_norm: bool = False
    feat_extract_norm: str = "group"
    feat_extract_activation: str = "gelu"
    feat_proj_layer_norm: bool = True
    do_stable_layer_norm: bool = False
    layer_norm_eps: Fraction = 1e-5

    def __post_init__(self) -> None:
        for field in fields(HuggingFaceConfig):
            value = getattr(self, field.name)
            if field.default is not MISSING and value != field.default:
                raise ValueError(f"{field.name} is {value!r}; only {field.default!r} is known")
        if not len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride):
            raise ValueError("conv_dim, conv_kernel and conv_stride differ in length")

    @property
    def conv(self) -> tuple[tuple[int, int, int], ...]:
        """(channels, kernel, stride) of each convolution."""
        return tuple(zip(self.conv_dim, self.conv_kernel, self.conv_stride, strict=True))

    @property
    def encoder(self) -> EncoderConfig:
        """Configuration of the encoder."""
        return EncoderConfig(
            conv=self.conv,
            dim=self.hidden_size,
            ffn_dim=self.intermediate_size,
            heads=self.num_attention_heads,
            layers=self.num_hidden_layers,
            position_kernel=self.num_conv_pos_embeddings,
            position_groups=self.num_conv_pos_embedding_groups,
        )

    @classmethod
    def read(cls: type[Config], path: Path) -> Config:
        """Read a `config.json`. Raises CheckpointError."""
        return cls.parse(read_json(path), path)

    @classmethod
    def parse(cls: type[Config], content: dict[str, Any], path: Path) -> Config:
        """Parse the content of a `config.json`. path: the name for it in errors. Raises CheckpointError."""
        return from_mapping(cls, content, path, ignore=set(content) - {field.name for field in fields(cls)})
