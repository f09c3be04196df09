"""The language model that a training starts from: a new one, or an existing one with units added to its vocabulary."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.checkpoints.layout import find_checkpoint
from spiritlm_cli.checkpoints.slamkit import SLAMKIT
from spiritlm_cli.checkpoints.tensors import write_tensors
from spiritlm_cli.config import read_json
from spiritlm_cli.console import notify
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import write_bytes, write_text
from spiritlm_cli.language.loading import list_weights
from spiritlm_cli.language.transformers_llama import new_network
from spiritlm_cli.language.transformers_loading import load_causal_lm
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.training.extension import extend_embeddings, extend_tokenizer
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.vocabulary import speech_names, text_spans, train_vocabulary

_NEW_CONTEXT = 2048


@dataclass(frozen=True, eq=False)
class StartingModel:
    """A network to train and its vocabulary.

    network: a causal language model of transformers, in float32 on the CPU. folder: where the trained model is written,
    a Hugging Face folder that has the vocabulary already. dtype: number format in which weights are written.
    """

    network: Any
    vocabulary: Vocabulary
    folder: Path
    dtype: torch.dtype

    def save(self) -> None:
        """Write the weights and the configuration."""
        tensors: dict[str, torch.Tensor] = {}
        seen: set[int] = set()
        for name, tensor in self.network.state_dict().items():
            # the head of tied embeddings is left out: transformers and our loader take the embedding's
            if tensor.data_ptr() not in seen:
                tensors[name] = tensor.to(self.dtype)
                seen.add(tensor.data_ptr())
        write_tensors(self.folder / "model.safetensors", tensors)
        # only values that differ from the defaults of transformers; its version does not matter for the weights
        content = self.network.config.to_diff_dict() | {
            "architectures": [type(self.network).__name__],
            "torch_dtype": str(self.dtype).removeprefix("torch."),
        }
        content.pop("transformers_version", None)
        write_text(self.folder / "config.json", json.dumps(content, indent=2, sort_keys=True) + "\n")


def model_folder(options: LanguageModelOptions) -> Path:
    """The Hugging Face folder that a training writes: --output with --from, otherwise its place in a checkpoint."""
    if options.base:
        return options.output
    return options.output / "spiritlm_model" / "spirit-lm-expressive-7b"


def starting_model(options: LanguageModelOptions, texts: list[str], is_main: bool = True) -> StartingModel:
    """Create the model that a training starts from, and write its vocabulary to `model_folder(options)`.

    texts: what a new vocabulary is learned from. A resumed training reads the vocabulary that it wrote, as do all
    processes except the first (is_main).
    Raises CheckpointError for a model that can't be read or can't be extended, or with too short a context.
    """
    folder = model_folder(options)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    if options.base:
        return extended_model(options, _language_model_folder(options.base), folder)
    path = folder / "tokenizer.model"
    if is_main and not (options.resume and path.is_file()):
        write_bytes(path, train_vocabulary(text_spans(texts, options.seed), options.vocabulary))
    vocabulary = load_vocabulary(folder)
    return StartingModel(new_llama(options, vocabulary), vocabulary, folder, torch.bfloat16)


def _language_model_folder(model: str) -> Path:
    """The Hugging Face folder of a language model's name, folder or repository. Raises CheckpointError."""
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
    tokenizer = extend_tokenizer(source, speech_names(**counts))
    files = dict(tokenizer.files)
    generation = source / "generation_config.json"
    if generation.exists():
        files[generation.name] = generation.read_bytes()
    for name, content in files.items():
        write_bytes(folder / name, content)
    # the end tokens are in the configuration of some models
    write_text(folder / "config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    vocabulary = load_vocabulary(folder)
    network = load_causal_lm(source, torch.device("cpu"), torch.float32, rope_theta=options.rope_theta)
    context = getattr(network.config, "max_position_embeddings", None)
    if context is not None and options.context > context:
        raise CheckpointError(f"{source}: has a context of {context} tokens; --context is {options.context}")
    known = tokenizer.known
    if vocabulary.size > known:
        text_ids = [token for token in vocabulary.text_ids if token < known]
        extend_embeddings(network, known, vocabulary.size, options.init, text_ids, options.seed)
        notify(f"{options.base}: {vocabulary.size - known} tokens added to {known}")
    _, stored = list_weights(source)
    dtype = getattr(torch, next(iter(stored.values())).dtype)
    return StartingModel(network.requires_grad_(True), vocabulary, folder, dtype)


def new_llama(options: LanguageModelOptions, vocabulary: Vocabulary) -> Any:
    """Create a LLaMA with random weights. The vocabulary is padded to a multiple of 64 ids."""
    return new_network(
        vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=options.dim, intermediate_size=options.ffn,
        num_hidden_layers=options.layers, num_attention_heads=options.heads, num_key_value_heads=options.heads,
        max_position_embeddings=max(_NEW_CONTEXT, options.context), rope_theta=options.rope_theta or 10000.0,
        rms_norm_eps=1e-5, tie_word_embeddings=False,
        bos_token_id=vocabulary.bos_id, eos_token_id=vocabulary.eos_ids[0],
    )  # fmt: skip
