"""Conversion of HuBERTs with fairseq's names of tensors to the Hugging Face folders of transformers' `HubertModel`.

They are those of fairseq itself, and those of checkpoints, which `spiritlm train hubert` writes.

Source of the network: Hsu et al. 2021 (arXiv 2106.07447).
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spiritlm_cli.checkpoints.conversion_steps import Notify, Step, json_step
from spiritlm_cli.checkpoints.fairseq_config import FAIRSEQ_CLASSES, FairseqConfig, read_fairseq_config
from spiritlm_cli.checkpoints.pickles import read_pickle
from spiritlm_cli.checkpoints.tensors import (
    TensorFile,
    convert_weight,
    match_names,
    read_tensors,
    rename_tensor,
    split_state,
    write_tensors,
)
from spiritlm_cli.errors import CheckpointError

# From fairseq's names of layers to those of transformers; `{}` is a layer's index.
_NAMES = {
    "feature_extractor.conv_layers.{}.0": "feature_extractor.conv_layers.{}.conv",
    "feature_extractor.conv_layers.{}.2": "feature_extractor.conv_layers.{}.layer_norm",
    "feature_extractor.conv_layers.{}.2.1": "feature_extractor.conv_layers.{}.layer_norm",
    "layer_norm": "feature_projection.layer_norm",
    "post_extract_proj": "feature_projection.projection",
    "encoder.pos_conv.0": "encoder.pos_conv_embed.conv",
    "encoder.layers.{}.self_attn.q_proj": "encoder.layers.{}.attention.q_proj",
    "encoder.layers.{}.self_attn.k_proj": "encoder.layers.{}.attention.k_proj",
    "encoder.layers.{}.self_attn.v_proj": "encoder.layers.{}.attention.v_proj",
    "encoder.layers.{}.self_attn.out_proj": "encoder.layers.{}.attention.out_proj",
    "encoder.layers.{}.self_attn_layer_norm": "encoder.layers.{}.layer_norm",
    "encoder.layers.{}.fc1": "encoder.layers.{}.feed_forward.intermediate_dense",
    "encoder.layers.{}.fc2": "encoder.layers.{}.feed_forward.output_dense",
}
# The parameters of a layer with weight norm, and a vector, which has no layer.
_PARAMETERS = {
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}
_MASK = "mask_emb"
# For pre-training alone: the targets and what predicts them.
_HEADS = ("label_embs_concat", "final_proj.", "target_glu.")


def plan_hubert_steps(path: Path, notify: Notify) -> Iterator[Step]:
    """Yield the files of the folder that the file of a HuBERT becomes.

    notify: is told of the tensors that are left out. Raises CheckpointError for anything but a HuBERT with fairseq's
    names of tensors, whose configuration is known.
    """
    file = _read(path)
    if "encoder.layers.0.fc1.weight" not in file.tensors:
        raise CheckpointError(
            f"{path}: not a HuBERT that fairseq pre-trained, nor that of a checkpoint: has no "
            "encoder.layers.0.fc1.weight; of files alone, models convert takes such a HuBERT and a pickled k-means"
        )
    settings = read_fairseq_config(path, file.config)
    config = _hubert_config(path, file.tensors, settings)
    tensors = _with_projection(file, config, settings)
    expected = {name: torch.empty(shape, device="meta") for name, shape in _shapes(config).items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    names = match_names(expected, path, shapes, _new_name, _HEADS)
    if heads := sorted(name for name in tensors if name.startswith(_HEADS)):
        more = f" and {len(heads) - 4} more" if len(heads) > 4 else ""
        notify(f"left out: {', '.join(heads[:4])}{more}: for pre-training alone")
    if "task_cfg" in file.config:
        # TWIST's folders, which have no such entry, are read with a padding of their own
        config |= {"task_cfg": {"normalize": settings.normalize, "padding": settings.padding}}
    yield json_step("config.json", config)
    yield json_step("preprocessor_config.json", _preprocessor_config(config, settings))
    size = sum(tensors[name].nbytes for name in names.values())
    values = {target: tensors[name] for target, name in names.items()}
    yield Step("model.safetensors", size, partial(_write, path, values))


def _read(path: Path) -> TensorFile:
    if path.suffix == ".safetensors":
        return read_tensors(path)
    return split_state(path, read_pickle(path, mapped=True, inert=FAIRSEQ_CLASSES))


def _with_projection(
    file: TensorFile, config: Mapping[str, Any], settings: FairseqConfig
) -> dict[str, Tensor]:
    """The tensors, with a projection that changes nothing where there is none: transformers always has one."""
    wide = config["hidden_size"]
    is_projected = settings.projection
    if is_projected is None:
        # that of a checkpoint's file is not used between equal widths
        differs = config["conv_dim"][-1] != wide
        is_projected = differs or (
            "model_cfg" not in file.config and "post_extract_proj.weight" in file.tensors
        )
    if is_projected:
        return file.tensors
    dtype = file.tensors["encoder.layers.0.fc1.weight"].dtype
    identity = {"weight": torch.eye(wide, dtype=dtype), "bias": torch.zeros(wide, dtype=dtype)}
    return file.tensors | {f"post_extract_proj.{name}": tensor for name, tensor in identity.items()}


def _new_name(name: str) -> str:
    if name == _MASK:
        return "masked_spec_embed"
    name = rename_tensor(name, _NAMES)
    suffix = next((suffix for suffix in _PARAMETERS if name.endswith(suffix)), "")
    return name.removesuffix(suffix) + _PARAMETERS[suffix] if suffix else name


def _hubert_config(path: Path, tensors: Mapping[str, Tensor], settings: FairseqConfig) -> dict[str, Any]:
    """Return a `config.json` of transformers: sizes are those of the tensors. Raises CheckpointError."""

    def shape(name: str, dimensions: int) -> tuple[int, ...]:
        if name not in tensors or tensors[name].ndim != dimensions:
            raise CheckpointError(f"{path}: {name} is missing, or has not {dimensions} dimensions")
        return tuple(tensors[name].shape)

    inner, wide = shape("encoder.layers.0.fc1.weight", 2)
    channels, per_group, kernel = shape("encoder.pos_conv.0.weight_v", 3)
    groups = channels // max(per_group, 1)
    heads = settings.encoder_attention_heads
    if wide % heads or not groups or channels % groups:
        raise CheckpointError(f"{path}: {heads} heads or {groups} groups don't divide a width of {wide}")
    return {
        "architectures": ["HubertModel"],
        "model_type": "hubert",
        # that of the computation, also where weights are stored in half precision
        "torch_dtype": "float32",
        "hidden_size": wide,
        "num_hidden_layers": sum(name.endswith(".fc1.weight") for name in tensors),
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "hidden_act": settings.activation_fn,
        "num_feat_extract_layers": len(settings.conv),
        "conv_dim": [channels for channels, _, _ in settings.conv],
        "conv_kernel": [kernel for _, kernel, _ in settings.conv],
        "conv_stride": [stride for _, _, stride in settings.conv],
        "conv_bias": "feature_extractor.conv_layers.0.0.bias" in tensors,
        # a norm after each convolution, or a group norm after the first
        "feat_extract_norm": "layer" if "feature_extractor.conv_layers.0.2.1.weight" in tensors else "group",
        "feat_extract_activation": "gelu",
        "num_conv_pos_embeddings": kernel,
        "num_conv_pos_embedding_groups": groups,
        "do_stable_layer_norm": settings.layer_norm_first,
        "layer_norm_eps": 1e-5,
    }


def _preprocessor_config(config: Mapping[str, Any], settings: FairseqConfig) -> dict[str, Any]:
    return {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "do_normalize": settings.normalize,
        "feature_size": 1,
        "padding_side": "right",
        "padding_value": 0.0,
        # a group norm over time sees the padding in any case
        "return_attention_mask": config["feat_extract_norm"] == "layer",
        "sampling_rate": settings.sample_rate,
    }


def _shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors of transformers' `HubertModel`, by name."""
    wide, inner, convs = config["hidden_size"], config["intermediate_size"], config["conv_dim"]
    normed = range(len(convs)) if config["feat_extract_norm"] == "layer" else range(1)
    layers: dict[str, tuple[int, ...]] = {
        "feature_projection.layer_norm": (convs[-1],),
        "feature_projection.projection": (wide, convs[-1]),
        "encoder.layer_norm": (wide,),
    }
    for i in normed:
        layers[f"feature_extractor.conv_layers.{i}.layer_norm"] = (convs[i],)
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layers.{i}"
        layers |= {f"{layer}.attention.{name}_proj": (wide, wide) for name in ("q", "k", "v", "out")}
        layers |= {f"{layer}.{name}": (wide,) for name in ("layer_norm", "final_layer_norm")}
        layers[f"{layer}.feed_forward.intermediate_dense"] = (inner, wide)
        layers[f"{layer}.feed_forward.output_dense"] = (wide, inner)
    shapes: dict[str, tuple[int, ...]] = {"masked_spec_embed": (wide,)}
    for name, shape in layers.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for i, kernel in enumerate(config["conv_kernel"]):
        conv = f"feature_extractor.conv_layers.{i}.conv"
        shapes[f"{conv}.weight"] = (convs[i], convs[i - 1] if i else 1, kernel)
        shapes |= {f"{conv}.bias": (convs[i],)} if config["conv_bias"] else {}
    kernel, groups = config["num_conv_pos_embeddings"], config["num_conv_pos_embedding_groups"]
    position = "encoder.pos_conv_embed.conv"
    shapes[f"{position}.bias"] = (wide,)
    shapes[f"{position}.parametrizations.weight.original0"] = (1, 1, kernel)
    shapes[f"{position}.parametrizations.weight.original1"] = (wide, wide // groups, kernel)
    return shapes


def _write(source: Path, tensors: Mapping[str, Tensor], target: Path) -> None:
    # copied, because tensors from one file may share memory, which safetensors refuses
    values = {
        name: convert_weight(source, name, tensor, tensor.dtype).clone() for name, tensor in tensors.items()
    }
    write_tensors(target, values)
