"""The vocabulary of a language model's folder, chosen by the files in it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spiritlm_cli.checkpoints.open_layouts import MAX_VOCABULARY_BYTES
from spiritlm_cli.checkpoints.slamkit import (
    SLAMKIT,
    SLAMKIT_SPEECH_NAMES,
    SLAMKIT_UNITS,
    appended_names,
    text_tokenizer_folder,
)
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import read_limited
from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.language.speech_vocabulary import SpeechVocabulary
from spiritlm_cli.language.tokenizers_vocabulary import SpecialTokens, TokenizersVocabulary
from spiritlm_cli.language.vocabulary import Vocabulary

# An embedding may have more rows than there are tokens, up to a multiple of one of these.
_PADDING = (1, 8, 16, 32, 64, 128)


def load_vocabulary(folder: Path, text_tokenizer: Path | None = None) -> Vocabulary:
    """Load the vocabulary of a language model.

    folder: holds a `tokenizer.model` (sentencepiece) or a `tokenizer.json` (Hugging Face) with text, units and
    markers; or a slamkit model, whose units follow those of a text tokenizer, or stand alone. text_tokenizer: folder
    with the `tokenizer.json` of a slamkit model's text, if it is not in `folder`.
    Raises CheckpointError that names the file and what is wrong with it.
    """
    path = folder / "config.json"
    config = read_json(path) if path.exists() else {}
    if config.get("model_type") == SLAMKIT:
        return _load_slamkit(folder, config, text_tokenizer)
    if text_tokenizer is not None:
        raise CheckpointError(f"{folder}: has its own text tokenizer; leave out --text-tokenizer")
    model, tokenizer_json = folder / "tokenizer.model", folder / "tokenizer.json"
    if not tokenizer_json.exists():
        if not model.exists():
            raise CheckpointError(f"{model}: missing (or tokenizer.json)")
        return SentencePieceVocabulary.load(model)
    # units added with transformers are in tokenizer.json alone, beside the base model's tokenizer.model
    if model.exists() and b"[Hu0]" in read_limited(model, MAX_VOCABULARY_BYTES, CheckpointError):
        return SentencePieceVocabulary.load(model)
    content = read_limited(tokenizer_json, MAX_VOCABULARY_BYTES, CheckpointError)
    if _has_speech_alone(content):
        return SpeechVocabulary(SLAMKIT_UNITS, tokenizer_json)
    return TokenizersVocabulary(content, tokenizer_json, _special_tokens(folder, folder, config))


def has_text(folder: Path) -> bool:
    """Whether the vocabulary of a language model has text beside units. Raises CheckpointError."""
    path, tokenizer_json = folder / "config.json", folder / "tokenizer.json"
    config = read_json(path) if path.exists() else {}
    if config.get("model_type") == SLAMKIT:
        return config.get("vocab_size") != len(SLAMKIT_SPEECH_NAMES)
    if not tokenizer_json.exists():
        return True
    return not _has_speech_alone(read_limited(tokenizer_json, MAX_VOCABULARY_BYTES, CheckpointError))


def _has_speech_alone(tokenizer_json: bytes) -> bool:
    """Whether a `tokenizer.json` has the vocabulary of slamkit's models of speech alone, and nothing else."""
    # that of a conversion has 15 kB; others are not parsed twice
    if len(tokenizer_json) > 1 << 20:
        return False
    try:
        tokens = json.loads(tokenizer_json)["model"]["vocab"]
        return isinstance(tokens, dict) and tokens == {
            name: index for index, name in enumerate(SLAMKIT_SPEECH_NAMES)
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _load_slamkit(folder: Path, config: Mapping[str, Any], text_tokenizer: Path | None) -> Vocabulary:
    path = folder / "config.json"
    vocab_size = config.get("vocab_size")
    source = text_tokenizer_folder(folder, config, text_tokenizer)
    if source is None:
        return SpeechVocabulary(SLAMKIT_UNITS, path)
    tokenizer_json = source / "tokenizer.json"
    content = read_limited(tokenizer_json, MAX_VOCABULARY_BYTES, CheckpointError)
    base = config.get("base_config")
    special = _special_tokens(source, folder, base if isinstance(base, Mapping) else {})
    vocabulary = TokenizersVocabulary(content, tokenizer_json, special, appended_names(content))
    if not any(-(-vocabulary.size // multiple) * multiple == vocab_size for multiple in _PADDING):
        raise CheckpointError(
            f"{path}: vocab_size is {vocab_size}, but {tokenizer_json} with {SLAMKIT_UNITS} units and two markers "
            f"makes {vocabulary.size}: it is the tokenizer of another model"
        )
    return vocabulary


def _special_tokens(tokenizer: Path, model: Path, config: Mapping[str, Any]) -> SpecialTokens:
    """What the files beside a tokenizer and a model say about the start and end tokens.

    tokenizer: folder that may have a `tokenizer_config.json`. model: folder that may have a `generation_config.json`.
    config: the model's.
    """
    path = tokenizer / "tokenizer_config.json"
    values = read_json(path) if path.exists() else {}
    path = model / "generation_config.json"
    generation = read_json(path) if path.exists() else {}
    adds_start = values.get("add_bos_token")
    return SpecialTokens(
        adds_start if isinstance(adds_start, bool) else None,
        _token_name(values.get("bos_token")),
        _token_name(values.get("eos_token")),
        (*_ids(config.get("eos_token_id")), *_ids(generation.get("eos_token_id"))),
    )


def _token_name(value: object) -> str | None:
    """The name of a token in a `tokenizer_config.json`: a string, or an object with its content."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _ids(value: object) -> list[int]:
    """The ids in an `eos_token_id`: one, a list or none."""
    return [token for token in (value if isinstance(value, list) else [value]) if type(token) is int]
