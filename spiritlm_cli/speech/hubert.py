"""HuBERT (Hsu et al. 2021, arXiv 2106.07447): 16 kHz waveform to features at 25 Hz.

Its files are the release's, or a Hugging Face folder.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor, nn
from torch.nn import functional as F

from spiritlm_cli.checkpoints.checkpoint import HUGGING_FACE_WEIGHTS, part_file
from spiritlm_cli.checkpoints.fairseq_config import parse_conv_layers
from spiritlm_cli.checkpoints.tensors import TensorFile, build_on_meta, load_into, read_tensors, rename_tensor
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm
from spiritlm_cli.config import Bounds, Layers, Size, Steps, Text, from_mapping
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech import hugging_face
from spiritlm_cli.speech.encoder import EncoderConfig, SpeechEncoder
from spiritlm_cli.speech.hugging_face import HuggingFaceConfig
from spiritlm_cli.speech.windows import SAMPLE_RATE

# From fairseq's names of layers, in files, to this module's; `{}` is a layer's index.
_NAMES = {
    "feature_extractor.conv_layers.{}.0": "features.convs.{}",
    "feature_extractor.conv_layers.0.2": "features.norm",
    "layer_norm": "feature_norm",
    "post_extract_proj": "projection",
    "encoder.pos_conv.0": "position.conv",
    "encoder.layer_norm": "norm",
    "encoder.layers.{}.self_attn.q_proj": "layers.{}.query",
    "encoder.layers.{}.self_attn.k_proj": "layers.{}.key",
    "encoder.layers.{}.self_attn.v_proj": "layers.{}.value",
    "encoder.layers.{}.self_attn.out_proj": "layers.{}.out",
    "encoder.layers.{}.self_attn_layer_norm": "layers.{}.attention_norm",
    "encoder.layers.{}.fc1": "layers.{}.inner",
    "encoder.layers.{}.fc2": "layers.{}.outer",
    "encoder.layers.{}.final_layer_norm": "layers.{}.norm",
}
# Tensors for pre-training only.
_UNUSED = ("label_embs_concat", "final_proj.", "mask_emb")


@dataclass(frozen=True)
class HubertConfig:
    """`model_cfg` of the file, by its own keys; and `projection`, whether a linear layer follows the convolutions.

    projection: None is as fairseq has it: between different widths only. Raises ValueError for variants of HuBERT that
    are not supported.
    """

    encoder_layers: Layers
    encoder_embed_dim: Size
    encoder_ffn_embed_dim: Size
    encoder_attention_heads: Steps
    conv_feature_layers: Text
    conv_pos: Steps
    conv_pos_groups: Steps
    label_rate: Annotated[float, Bounds(1, 1000)] = 25.0
    extractor_mode: str = "default"
    activation_fn: str = "gelu"
    layer_norm_first: bool = False
    conv_bias: bool = False
    projection: bool | None = None

    def __post_init__(self) -> None:
        supported = {
            "extractor_mode": "default",
            "activation_fn": "gelu",
            "layer_norm_first": False,
            "conv_bias": False,
        }
        for name, value in supported.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} is {getattr(self, name)!r}; only {value!r} is known")

    @property
    def encoder(self) -> EncoderConfig:
        """Configuration of the encoder. Raises ValueError if `conv_feature_layers` can't be parsed."""
        conv = parse_conv_layers(self.conv_feature_layers)
        return EncoderConfig(
            conv=conv,
            # fairseq ignores a projection in the file between equal widths.
            projected=conv[-1][0] != self.encoder_embed_dim if self.projection is None else self.projection,
            dim=self.encoder_embed_dim,
            ffn_dim=self.encoder_ffn_embed_dim,
            heads=self.encoder_attention_heads,
            layers=self.encoder_layers,
            position_kernel=self.conv_pos,
            position_groups=self.conv_pos_groups,
        )


@dataclass(frozen=True)
class HubertTask:
    """`task_cfg` of the file, and `padding`, of which the release has none.

    normalize: whether the waveform is normalized to mean 0 and variance 1. padding: number of zero samples to put at
    both ends of the waveform. Raises ValueError for another sample rate than 16 kHz.
    """

    sample_rate: Size = SAMPLE_RATE
    normalize: bool = False
    label_rate: Annotated[float, Bounds(1, 1000)] = 25.0
    padding: Annotated[int, Bounds(0, SAMPLE_RATE)] = 0

    def __post_init__(self) -> None:
        if self.sample_rate != SAMPLE_RATE:
            raise ValueError(f"sample_rate is {self.sample_rate}; only {SAMPLE_RATE} is known")


@dataclass(frozen=True, kw_only=True)
class HuggingFaceHubertConfig(HuggingFaceConfig):
    """`config.json` of transformers' HubertModel; see `HuggingFaceConfig`. Raises ValueError for another model.

    task_cfg: as `HubertTask`; `models convert` writes it, other programs don't.
    """

    model_type: Text
    task_cfg: dict[str, bool | int | float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model_type != "hubert":
            raise ValueError(f"model_type is {self.model_type!r}, expected 'hubert'")

    def release_config(self, layers: int) -> HubertConfig:
        """The configuration of its first `layers` layers, by the keys of the release's file."""
        return HubertConfig(
            encoder_layers=layers,
            encoder_embed_dim=self.hidden_size,
            encoder_ffn_embed_dim=self.intermediate_size,
            encoder_attention_heads=self.num_attention_heads,
            conv_feature_layers=str(list(self.conv)),
            conv_pos=self.num_conv_pos_embeddings,
            conv_pos_groups=self.num_conv_pos_embedding_groups,
            label_rate=SAMPLE_RATE / self.encoder.hop,
            projection=True if self.conv_dim[-1] == self.hidden_size else None,
        )


class LayerError(CheckpointError):
    """A layer that a network does not have. layers: number of those that it has."""

    def __init__(self, message: str, layers: int) -> None:
        super().__init__(message)
        self.layers = layers


class Hubert(nn.Module):
    """Computes the features of one transformer layer."""

    def __init__(self, config: HubertConfig, task: HubertTask) -> None:
        super().__init__()
        self.config, self.task = config, task
        self.encoder = SpeechEncoder(config.encoder)

    @classmethod
    def load(cls, path: Path, layer: int | None = None) -> "Hubert":
        """Load the encoder from a file, up to the layer `layer` (from 1; None: all layers).

        path: a file of a checkpoint, the Hugging Face folder of a HuBERT, or the weights in such a folder, which are
        known by the `config.json` beside them.
        Raises CheckpointError, of which a LayerError if there is no such layer.
        """
        path = hubert_weights(path)
        config_path = path.with_name("config.json")
        if config_path.is_file():
            return cls._load_hugging_face(path, config_path, layer)
        file = read_tensors(path)
        config = from_mapping(
            HubertConfig,
            _mapping(file, "model_cfg"),
            path,
            # Settings of the pre-training, or without effect on the features.
            ignore=("required_seq_len_multiple", "final_dim", "untie_final_proj"),
            key="model_cfg",
        )
        task = from_mapping(HubertTask, _mapping(file, "task_cfg"), path, key="task_cfg")
        config = replace(config, encoder_layers=_check_layer(path, layer, config.encoder_layers))
        model = build_on_meta(partial(cls, config, task), path)
        load_into(
            model.encoder,
            fold_weight_norm(file),
            rename=partial(_module_name, names=_NAMES, layers=config.encoder_layers),
            ignore=_UNUSED if config.encoder.projected else (*_UNUSED, "post_extract_proj."),
        )
        return model.eval().requires_grad_(False)

    @classmethod
    def _load_hugging_face(cls, path: Path, config_path: Path, layer: int | None) -> "Hubert":
        """Load a Hugging Face folder. Without a task, its waveforms are padded and not normalized, as TWIST's are.

        The padding makes a frame of each `hop` samples: without it, the convolutions leave out half a frame at
        either end.
        """
        theirs = HuggingFaceHubertConfig.read(config_path)
        layers = _check_layer(path, layer, theirs.num_hidden_layers)
        config = theirs.release_config(layers)
        encoder = config.encoder
        task = HubertTask(
            label_rate=config.label_rate, padding=max(0, encoder.receptive_field - encoder.hop) // 2
        )
        if theirs.task_cfg is not None:
            given = from_mapping(HubertTask, theirs.task_cfg, config_path, key="task_cfg")
            task = replace(given, label_rate=config.label_rate)
        model = build_on_meta(partial(cls, config, task), config_path)
        load_into(
            model.encoder,
            fold_weight_norm(read_tensors(path)),
            rename=partial(_module_name, names=hugging_face.NAMES, layers=layers),
            ignore=("masked_spec_embed",),
        )
        return model.eval().requires_grad_(False)

    @property
    def receptive_field(self) -> int:
        """Samples at 16 kHz of the shortest clip."""
        return self.config.encoder.receptive_field

    def forward(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """waveforms: each (samples,) at 16 kHz. Returns features for each, (frames, dim) at 25 Hz."""
        features: list[Tensor] = self.encoder(self.prepare(waveforms))
        return features

    def prepare(self, waveforms: Sequence[Tensor]) -> Sequence[Tensor]:
        """Normalize and pad waveforms as the task says. waveforms: each (samples,)."""
        if self.task.normalize:
            waveforms = [F.layer_norm(waveform, waveform.shape) for waveform in waveforms]
        if padding := self.task.padding:
            waveforms = [F.pad(waveform, (padding, padding)) for waveform in waveforms]
        return waveforms


def hubert_weights(path: Path) -> Path:
    """The file of weights in the Hugging Face folder of a HuBERT; the path of a file is returned as it is.

    Raises CheckpointError if a folder has none.
    """
    return part_file(path, *HUGGING_FACE_WEIGHTS) if path.is_dir() else path


def release_content(model: Hubert) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the configuration of a model as in the release's file; `Hubert.load` reads them."""
    file_names = {ours: name for name, ours in _NAMES.items()}
    tensors = {rename_tensor(name, file_names): tensor for name, tensor in model.encoder.state_dict().items()}
    weight = tensors.pop("encoder.pos_conv.0.weight")
    tensors["encoder.pos_conv.0.weight_v"] = weight
    tensors["encoder.pos_conv.0.weight_g"] = weight.norm(dim=(0, 1), keepdim=True)
    # The release's file has no `projection` or `padding`: they are written only where they say something.
    config = {
        key: value for key, value in vars(model.config).items() if key != "projection" or value is not None
    }
    task = {key: value for key, value in vars(model.task).items() if key != "padding" or value}
    return tensors, {"model_cfg": config, "task_cfg": task}


def _mapping(file: TensorFile, key: str) -> Mapping[str, Any]:
    config = file.config.get(key)
    if not isinstance(config, Mapping):
        if file.path.name in HUGGING_FACE_WEIGHTS:
            raise CheckpointError(f"{file.path.with_name('config.json')}: missing")
        raise CheckpointError(f"{file.path}: has no {key}, the configuration of the network")
    return config


def _check_layer(path: Path, layer: int | None, layers: int) -> int:
    """Return the number of layers to load. Raises LayerError if a file of `layers` layers has no such layer."""
    if layer is not None and not 1 <= layer <= layers:
        raise LayerError(f"{path}: layer {layer} wanted, there are {layers}", layers)
    return layer or layers


def _module_name(name: str, names: Mapping[str, str], layers: int) -> str | None:
    """Return a tensor's name in `Hubert.encoder`, or None if it belongs to a layer that is not loaded.

    names: from those of layers in the file to this module's.
    """
    index = re.search(r"\.layers\.(\d+)\.", name)
    return None if index and int(index[1]) >= layers else rename_tensor(name, names)
