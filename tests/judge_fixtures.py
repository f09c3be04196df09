"""Tiny judges with random weights, as Hugging Face folders."""

from pathlib import Path
from typing import Any

import torch
from causal_lm import write_causal_lm
from ctc_fixtures import TINY, write_folder
from text_tokenizers import byte_level, encoded

from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        Wav2Vec2Config,
        Wav2Vec2ForCTC,
        Wav2Vec2ForSequenceClassification,
    )

SENTIMENTS = ("negative", "neutral", "positive")
EMOTIONS = ("default", "happy", "sad", "angry")
_TOKENIZER = byte_level("text-llama")
_VOCAB_SIZE = 1 + max(
    *_TOKENIZER["model"]["vocab"].values(), *(token["id"] for token in _TOKENIZER["added_tokens"])
)


def _scale_up(network: torch.nn.Module) -> None:
    """Give a network large weights, so that inputs get different labels."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 2 * parameter[0].numel() ** -0.5)


def write_text_classifier(
    folder: Path, labels: tuple[str, ...] = SENTIMENTS, kind: str = "roberta", **changes: Any
) -> Path:
    """Write a classifier of text. changes: other values of its configuration."""
    sizes = {
        "vocab_size": _VOCAB_SIZE,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 40,
        "id2label": dict(enumerate(labels)),
    }
    network = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, **sizes | changes))
    _scale_up(network)
    network.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(encoded(_TOKENIZER))
    return folder


def write_speech_classifier(folder: Path, labels: tuple[str, ...] = EMOTIONS, **changes: Any) -> Path:
    """Write a classifier of speech. changes: other values of its configuration."""
    config = Wav2Vec2Config(**TINY | changes, id2label=dict(enumerate(labels)), classifier_proj_size=8)
    network = Wav2Vec2ForSequenceClassification(config)
    _scale_up(network)
    write_folder(folder, network)
    return folder


def write_ctc_recognizer(folder: Path) -> Path:
    """Write a CTC model with the letters A to Z."""
    network = Wav2Vec2ForCTC(Wav2Vec2Config(**TINY))
    _scale_up(network)
    write_folder(folder, network)
    return folder


def write_text_lm(folder: Path, kind: str = "llama", **changes: Any) -> Path:
    """Write a language model of text. changes: other values of its configuration."""
    write_causal_lm(folder, kind, _VOCAB_SIZE, **changes)
    (folder / "tokenizer.json").write_bytes(encoded(_TOKENIZER))
    return folder
