"""CTC models and classifiers of speech from Hugging Face folders, read without running code from them.

transformers reads no file of the folder: its loaders import Python files, or fetch kernels and other repositories, that
a configuration names (`auto_map`, `attn_implementation`, `quantization_config`, …). The files are read here, and of a
configuration only the values that describe the network are taken.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Any

import torch

from spiritlm_cli.alignment.ctc_labels import Vocabulary
from spiritlm_cli.checkpoints.lazy_tensors import list_tensors, weight_files
from spiritlm_cli.checkpoints.tensors import build_on_meta, convert_weight, read_tensors
from spiritlm_cli.config import (
    Bounds,
    Layers,
    Size,
    Sizes,
    Steps,
    StepSizes,
    Text,
    from_mapping,
    read_json,
)
from spiritlm_cli.errors import CheckpointError, OutOfMemoryError
from spiritlm_cli.language.quantization import suppress_import_warnings
from spiritlm_cli.out_of_memory import is_out_of_memory
from spiritlm_cli.third_party import hide_broken_torchaudio, silence_transformers

with hide_broken_torchaudio():
    from transformers import (
        CONFIG_MAPPING,
        MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING,
        MODEL_FOR_CTC_MAPPING,
        Wav2Vec2FeatureExtractor,
    )

# The kinds of models that take a waveform, by the `model_type` of their configuration.
FAMILY = (
    "data2vec-audio",
    "hubert",
    "sew",
    "sew-d",
    "unispeech",
    "unispeech-sat",
    "wav2vec2",
    "wav2vec2-conformer",
    "wavlm",
)

_Number = Annotated[float, Bounds(-(1 << 20), 1 << 20)]
_Value = bool | Text | _Number | Annotated[list[bool | Text | _Number], Bounds(0, 64)] | None


@dataclass(frozen=True)
class CtcConfig:
    """The values of a `config.json` that determine the size of the network, and all others that describe it.

    None is the default of transformers.
    """

    model_type: Text
    others: dict[str, _Value]
    vocab_size: Size | None = None
    hidden_size: Size | None = None
    intermediate_size: Size | None = None
    num_hidden_layers: Layers | None = None
    num_attention_heads: Steps | None = None
    conv_dim: Sizes | None = None
    conv_kernel: StepSizes | None = None
    conv_stride: StepSizes | None = None
    num_conv_pos_embeddings: Steps | None = None
    num_conv_pos_embedding_groups: Steps | None = None
    num_adapter_layers: Annotated[int, Bounds(0, 64)] | None = None

    def __post_init__(self) -> None:
        if self.model_type not in FAMILY:
            raise ValueError(f"model_type is {self.model_type!r}, expected one of {', '.join(FAMILY)}")


@dataclass(frozen=True)
class ExtractorConfig:
    """The values of a `preprocessor_config.json` that are used. do_normalize: to mean 0 and variance 1."""

    sampling_rate: Annotated[int, Bounds(1000, 384_000)] = 16000
    do_normalize: bool = True


def load_network(folder: Path, labels: tuple[str, ...] | None = None) -> Any:
    """Load the transformers network of a CTC model, in float32 on the CPU.

    labels: the names of the classes, for a classifier of whole clips in place of a CTC model. Raises CheckpointError.
    """
    path = folder / "config.json"
    config = _read_config(path)
    mapping, kind = MODEL_FOR_CTC_MAPPING, "CTC model"
    if labels is not None:
        mapping, kind = MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING, "classifier"
        config.id2label = dict(enumerate(labels))
    network_class = mapping[type(config)]
    index, files = weight_files(folder)
    stored = sum(prod(tensor.shape) for file in files for tensor in list_tensors(file).values())
    empty = build_on_meta(lambda: network_class(config), path)
    # transformers gives missing weights random values, which takes memory before it reports them.
    described = sum(parameter.numel() for parameter in empty.parameters())
    if described > 2 * stored:
        raise CheckpointError(f"{path}: describes {described} weights, and {index.name} has {stored}")
    tensors = {}
    for file in files:
        for name, tensor in read_tensors(file).tensors.items():
            # Some norms count the batches that they were trained with.
            floats = tensor.is_floating_point() or tensor.ndim
            tensors[name] = convert_weight(file, name, tensor, torch.float32) if floats else tensor
    try:
        with silence_transformers(), suppress_import_warnings():
            network, report = network_class.from_pretrained(
                None, config=config, state_dict=tensors, dtype=torch.float32, output_loading_info=True
            )
    except Exception as error:  # the type depends on what does not fit
        if is_out_of_memory(error):
            raise OutOfMemoryError(f"{folder}: there is too little memory to load it") from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{index}: not a {kind} of the wav2vec 2.0 family: {reason}") from error
    # The mask embedding is used in training only.
    if missing := sorted(name for name in report["missing_keys"] if "masked_spec_embed" not in name):
        raise CheckpointError(f"{index}: weights missing: {', '.join(missing[:4])}")
    return network.eval()


def load_extractor(folder: Path) -> Any:
    """Return the transformers feature extractor that `preprocessor_config.json` describes. Raises CheckpointError."""
    path = folder / "preprocessor_config.json"
    content = read_json(path)
    config = from_mapping(
        ExtractorConfig, content, path, ignore=set(content) - set(ExtractorConfig.__dataclass_fields__)
    )
    return Wav2Vec2FeatureExtractor(sampling_rate=config.sampling_rate, do_normalize=config.do_normalize)


def read_vocabulary(folder: Path, pad_token_id: int | None) -> Vocabulary:
    """Read `vocab.json`, and from `tokenizer_config.json`, if it is there, how words are delimited.

    A vocabulary of several languages is that of `target_lang`. pad_token_id: the blank, by the model's configuration.
    Raises CheckpointError.
    """
    path, settings_path = folder / "vocab.json", folder / "tokenizer_config.json"
    settings = read_json(settings_path) if settings_path.exists() else {}
    labels: Any = read_json(path)
    if (language := settings.get("target_lang")) is not None:
        labels = labels.get(language) if isinstance(language, str) else None
    if not isinstance(labels, dict) or not all(_is_label(label) for label in labels.values()):
        raise CheckpointError(f"{path}: expected an object of letters and their labels, from 0")
    blank = labels.get(_token(settings, "pad_token", "<pad>")) if pad_token_id is None else pad_token_id
    if blank is None or blank < 0:
        raise CheckpointError(f"{path}: has no label for the blank")
    delimiter = labels.get(_token(settings, "word_delimiter_token", "|"))
    letters = {
        symbol: label
        for symbol, label in labels.items()
        if len(symbol) == 1 and label not in (delimiter, blank)
    }
    return Vocabulary(letters, blank, delimiter)


def _read_config(path: Path) -> Any:
    """Return the transformers configuration for a `config.json`, with the values that describe its network."""
    content = read_json(path)
    model_type = content.get("model_type")
    known: set[str] = set()
    if model_type in FAMILY:
        # The base class has settings of the loader, which are not taken from a file.
        known = set(inspect.get_annotations(CONFIG_MAPPING[model_type]))
    sizes = set(CtcConfig.__dataclass_fields__) - {"others"}
    others = {name: content[name] for name in known - sizes if name in content}
    values = {name: content[name] for name in sizes if name in content}
    config = from_mapping(CtcConfig, values | {"others": others}, path)
    described = {name: values[name] for name in known & sizes if values.get(name) is not None}
    try:
        return CONFIG_MAPPING[config.model_type](**described, **config.others)
    except Exception as error:  # of the validation of transformers
        raise CheckpointError(f"{path}: {' '.join(str(error).split())}") from error


def _token(settings: Mapping[str, Any], name: str, default: str) -> str:
    """Return a token in a tokenizer's settings: a text, or an object with its `content`."""
    value = settings.get(name, default)
    token = value.get("content") if isinstance(value, Mapping) else value
    return token if isinstance(token, str) else default


def _is_label(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 20
