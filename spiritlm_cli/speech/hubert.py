"""HuBERT: 16 kHz waveform to features at 25 Hz, with the release's tensor names on disk."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from spiritlm_cli.checkpoints.tensors import TensorFile, build_on_meta, load_into, read_tensors, rename_tensor
from spiritlm_cli.checkpoints.weight_norm import fold_weight_norm
from spiritlm_cli.config import from_mapping
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.speech.encoder import EncoderConfig, SpeechEncoder

# The file's names (fairseq's) for ours; `{}` is a layer's number.
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
# Heads of the pre-training, which units don't need.
_HEADS = ("label_embs_concat", "final_proj.", "mask_emb")


@dataclass(frozen=True)
class HubertConfig:
    """`model_cfg` of the file, by its own keys."""

    encoder_layers: int
    encoder_embed_dim: int
    encoder_ffn_embed_dim: int
    encoder_attention_heads: int
    conv_feature_layers: str
    conv_pos: int
    conv_pos_groups: int
    label_rate: float = 25.0
    extractor_mode: str = "default"
    activation_fn: str = "gelu"
    layer_norm_first: bool = False
    conv_bias: bool = False

    def __post_init__(self) -> None:
        known = {
            "extractor_mode": "default",
            "activation_fn": "gelu",
            "layer_norm_first": False,
            "conv_bias": False,
        }
        for name, value in known.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} is {getattr(self, name)!r}; only {value!r} is known")

    @property
    def encoder(self) -> EncoderConfig:
        conv = parse_conv_layers(self.conv_feature_layers)
        return EncoderConfig(
            conv=conv,
            # fairseq projects only between different widths, and passes over a projection in the file otherwise
            projected=conv[-1][0] != self.encoder_embed_dim,
            dim=self.encoder_embed_dim,
            ffn_dim=self.encoder_ffn_embed_dim,
            heads=self.encoder_attention_heads,
            layers=self.encoder_layers,
            position_kernel=self.conv_pos,
            position_groups=self.conv_pos_groups,
        )


@dataclass(frozen=True)
class HubertTask:
    """`task_cfg` of the file. normalize: whether the waveform is layer-normed before all else."""

    sample_rate: int = 16000
    normalize: bool = False
    label_rate: float = 25.0


class Hubert(nn.Module):
    """Features of one transformer layer."""

    def __init__(self, config: HubertConfig, task: HubertTask) -> None:
        super().__init__()
        self.config, self.task = config, task
        self.encoder = SpeechEncoder(config.encoder)

    @classmethod
    def load(cls, path: Path, layer: int | None = None) -> "Hubert":
        """The encoder in `path`, cut after its `layer`th layer (from 1; None: all are kept). Raises CheckpointError."""
        file = read_tensors(path)
        config = from_mapping(
            HubertConfig,
            _mapping(file, "model_cfg"),
            path,
            # true of the pre-training alone, or no change to what comes out
            ignore=("required_seq_len_multiple", "final_dim", "untie_final_proj"),
        )
        task = from_mapping(HubertTask, _mapping(file, "task_cfg"), path)
        if layer is not None:
            if not 1 <= layer <= config.encoder_layers:
                raise CheckpointError(f"{path}: layer {layer} wanted, there are {config.encoder_layers}")
            config = replace(config, encoder_layers=layer)
        kept = config
        model = build_on_meta(lambda: cls(kept, task), path)
        load_into(
            model.encoder,
            fold_weight_norm(file),
            rename=lambda name: _our_name(name, kept.encoder_layers),
            ignore=_HEADS if kept.encoder.projected else (*_HEADS, "post_extract_proj."),
        )
        return model.eval().requires_grad_(False)

    @property
    def receptive_field(self) -> int:
        """The fewest samples that give a frame."""
        return self.config.encoder.receptive_field

    def forward(self, waveforms: Sequence[Tensor]) -> list[Tensor]:
        """waveforms: each (samples,) at 16 kHz. Returns features (frames, dim) at 25 Hz of each."""
        if self.task.normalize:
            waveforms = [F.layer_norm(waveform, waveform.shape) for waveform in waveforms]
        features: list[Tensor] = self.encoder(waveforms)
        return features


def release_content(model: Hubert) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and configuration of a model as they stand in a file that `Hubert.load` reads."""
    theirs = {ours: name for name, ours in _NAMES.items()}
    tensors = {rename_tensor(name, theirs): tensor for name, tensor in model.encoder.state_dict().items()}
    weight = tensors.pop("encoder.pos_conv.0.weight")
    tensors["encoder.pos_conv.0.weight_v"] = weight
    tensors["encoder.pos_conv.0.weight_g"] = weight.norm(dim=(0, 1), keepdim=True)
    return tensors, {"model_cfg": vars(model.config), "task_cfg": vars(model.task)}


def parse_conv_layers(text: str) -> tuple[tuple[int, int, int], ...]:
    """`"[(512, 10, 5)] + [(512, 3, 2)] * 4"` as the list it says: lists, tuples, whole numbers, `+` and `*` alone.

    Raises ValueError on anything else.
    """

    def value(node: ast.expr) -> Any:
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [value(item) for item in items]
            case ast.Constant(value=int() as number) if not isinstance(number, bool):
                return number
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return value(left) + value(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                product = (value(left), value(right))
                if max(n if isinstance(n, int) else len(n) for n in product) > 100:
                    raise ValueError(f"conv_feature_layers: {text!r} is too long a list")
                return product[0] * product[1]
        raise ValueError(f"conv_feature_layers: {text!r} is not a list of (channels, kernel, stride)")

    try:
        layers = value(ast.parse(text.strip(), mode="eval").body)
        triples = tuple((int(c), int(k), int(s)) for c, k, s in layers)
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"conv_feature_layers: {text!r} is not a list of (channels, kernel, stride)"
        ) from error
    if not triples or min(min(triple) for triple in triples) < 1:
        raise ValueError(f"conv_feature_layers: {text!r} has a number under 1")
    return triples


def _mapping(file: TensorFile, key: str) -> Mapping[str, Any]:
    found = file.config.get(key)
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{file.path}: missing configuration {key!r}")
    return found


def _our_name(name: str, layers: int) -> str | None:
    """A tensor's name in this module; None for a layer that was cut off."""
    number = re.search(r"\.layers\.(\d+)\.", name)
    return None if number and int(number[1]) >= layers else rename_tensor(name, _NAMES)
