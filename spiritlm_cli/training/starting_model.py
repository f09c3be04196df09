"""The language model that a training starts from: a new one, or an existing one with units added to its vocabulary."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.checkpoints.layout import find_checkpoint
from spiritlm_cli.checkpoints.slamkit import SLAMKIT
from spiritlm_cli.config import read_json
from spiritlm_cli.console import notify
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import write_bytes, write_text
from spiritlm_cli.language.adapters import ADAPTER_WEIGHTS
from spiritlm_cli.language.loading import list_weights
from spiritlm_cli.language.transformers_llama import new_network
from spiritlm_cli.language.transformers_loading import load_causal_lm
from spiritlm_cli.language.transformers_saving import config_json, save_causal_lm
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.training.extension import extend_embeddings, extend_tokenizer
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.lora import TrainedParameters, add_adapter, save_adapter
from spiritlm_cli.training.vocabulary import speech_names, text_spans, train_vocabulary

_NEW_CONTEXT = 2048


@dataclass(frozen=True, eq=False)
class StartingModel:
    """A network to train and its vocabulary.

    network: a causal language model of transformers, in float32 on the CPU. folder: where the trained model is written,
    a Hugging Face folder that has the vocabulary already. dtype: number format in which weights are written.
    is_adapter: whether the network is frozen, and an adapter is trained and written.
    """

    network: Any
    vocabulary: Vocabulary
    folder: Path
    dtype: torch.dtype
    is_adapter: bool = False

    def trained(self) -> Any:
        """The part of the network whose state changes in training, for `loop.run`."""
        return TrainedParameters(self.network) if self.is_adapter else self.network

    def checkpoint_activations(self) -> None:
        """Keep the inputs of the layers only, and compute the rest again in the backward pass."""
        # its name in transformers since 5.20, and before
        name = "activation_checkpointing_enable"
        getattr(self.network, name, self.network.gradient_checkpointing_enable)({"use_reentrant": False})

    def save(self, weights: Mapping[str, torch.Tensor] | None = None) -> None:
        """Write the weights and the configuration. weights: those of a network that is split among processes."""
        if self.is_adapter:
            save_adapter(self.network, self.folder, weights)
        else:
            save_causal_lm(self.network, self.folder, self.dtype, weights)


def model_folder(options: LanguageModelOptions) -> Path:
    """The Hugging Face folder that a training writes: --output with --from, otherwise its place in a checkpoint."""
    if options.base:
        return options.output
    return options.output / "spiritlm_model" / "spirit-lm-expressive-7b"


def weights_file(options: LanguageModelOptions) -> Path:
    """The weights that a training writes: those of the network, or with --lora those of an adapter."""
    return model_folder(options) / (ADAPTER_WEIGHTS if options.lora else "model.safetensors")


def starting_model(
    options: LanguageModelOptions, texts: Iterable[str], is_main: bool = True
) -> StartingModel:
    """Create the model that a training starts from, and write its vocabulary to `model_folder(options)`.

    texts: what a new vocabulary is learned from. A resumed training reads the vocabulary that it wrote, as do all
    processes except the first (is_main).
    Raises CheckpointError for a model that can't be read or can't be extended, or with too short a context, and for a
    folder that has a model where an adapter is to be written, or the other way round.
    """
    folder = model_folder(options)
    other = folder / ("model.safetensors" if options.lora else ADAPTER_WEIGHTS)
    if other.exists():
        # --lm would read the one, and transformers the other
        raise CheckpointError(
            f"{other}: is of a training {'without' if options.lora else 'with'} --lora; give another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    if options.base:
        return extended_model(options, language_model_folder(options.base), folder)
    path = folder / "tokenizer.model"
    if is_main and not (options.resume and path.is_file()):
        write_bytes(path, train_vocabulary(text_spans(texts, options.seed), options.vocabulary))
    vocabulary = load_vocabulary(folder)
    return StartingModel(new_llama(options, vocabulary), vocabulary, folder, torch.bfloat16)


def language_model_folder(model: str) -> Path:
    """The Hugging Face folder of a language model, by its name, folder or repository. Raises CheckpointError."""
    checkpoint = find_checkpoint(model)
    return checkpoint.language_model(checkpoint.is_expressive)


def extended_model(options: LanguageModelOptions, source: Path, folder: Path) -> StartingModel:
    """Read a model, and add what its vocabulary lacks of markers and units. Writes the vocabulary to `folder`.

    source: Hugging Face folder of a causal language model. Raises CheckpointError.
    """
    config = read_json(source / "config.json")
    if config.get("model_type") == SLAMKIT:
        raise CheckpointError(
            f"{source}: is a folder of slamkit; `spiritlm models convert` makes one to start from"
        )
    counts = {} if options.add_units == "expressive" else {"pitch": 0, "style": 0}
    # preferences are of what a model knows already
    tokenizer = extend_tokenizer(source, [] if options.dpo else speech_names(**counts))
    files = dict(tokenizer.files)
    generation = source / "generation_config.json"
    if generation.exists():
        files[generation.name] = generation.read_bytes()
    for name, content in files.items():
        write_bytes(folder / name, content)
    # the end tokens are in the configuration of some models; that of a resumed training is already of its own weights
    if not (options.resume and (folder / "config.json").is_file()):
        write_text(folder / "config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    vocabulary = _load_vocabulary(folder, options)
    _, stored = list_weights(source)
    dtype: torch.dtype = getattr(torch, next(iter(stored.values())).dtype)
    # a frozen network has no small updates to lose in bfloat16
    is_frozen_half = bool(options.lora) and options.bf16 and dtype == torch.bfloat16
    loaded = dtype if is_frozen_half else torch.float32
    network = load_causal_lm(source, torch.device("cpu"), loaded, rope_theta=options.rope_theta)
    context = getattr(network.config, "max_position_embeddings", None)
    if context is None:
        raise CheckpointError(
            f"{source}: a {network.config.model_type} has no max_position_embeddings, which `generate` needs"
        )
    if options.context > context:
        raise CheckpointError(f"{source}: has a context of {context} tokens; --context is {options.context}")
    known = tokenizer.known
    if vocabulary.size > known:
        text_ids = [token for token in vocabulary.text_ids if token < known]
        extend_embeddings(network, known, vocabulary.size, options.init, text_ids, options.seed)
        notify(f"{options.base}: {vocabulary.size - known} tokens added to {known}")
    if options.lora:
        # transformers' names of folders are paths from where a command is run
        base = str(source.resolve()) if Path(options.base or "").expanduser().is_dir() else str(options.base)
        rows = range(known, network.config.vocab_size) if vocabulary.size > known else ()
        add_adapter(network, options.lora, options.lora_alpha or 2 * options.lora, rows, base)
        write_text(folder / "config.json", config_json(network, dtype))
        return StartingModel(network, vocabulary, folder, dtype, is_adapter=True)
    return StartingModel(network.requires_grad_(True), vocabulary, folder, dtype)


def _load_vocabulary(folder: Path, options: LanguageModelOptions) -> Vocabulary:
    try:
        return load_vocabulary(folder)
    except CheckpointError as error:
        if not options.dpo:
            raise
        raise CheckpointError(
            f"{options.base}: has no units ({error}); --dpo continues a model that has them: add and train them by "
            "`train lm --from` without --dpo"
        ) from error


def new_llama(options: LanguageModelOptions, vocabulary: Vocabulary) -> Any:
    """Create a LLaMA with random weights. The vocabulary is padded to a multiple of 64 ids."""
    return new_network(
        vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=options.dim, intermediate_size=options.ffn,
        num_hidden_layers=options.layers, num_attention_heads=options.heads, num_key_value_heads=options.heads,
        max_position_embeddings=max(_NEW_CONTEXT, options.context), rope_theta=options.rope_theta or 10000.0,
        rms_norm_eps=1e-5, tie_word_embeddings=False,
        bos_token_id=vocabulary.bos_id, eos_token_id=vocabulary.eos_ids[0],
    )  # fmt: skip
