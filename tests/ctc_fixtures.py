"""A tiny CTC model that tests of the alignment share."""

import json
from pathlib import Path

import torch

from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import Wav2Vec2FeatureExtractor

SYMBOLS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
LABELS = {symbol: label for label, symbol in enumerate(SYMBOLS)}
LETTERS = {symbol: label for symbol, label in LABELS.items() if len(symbol) == 1 and symbol != "|"}
TINY = {
    "vocab_size": len(SYMBOLS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "pad_token_id": 0,
}


def write_folder(folder: Path, network: torch.nn.Module, normalize: bool = True) -> str:
    network.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=normalize).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(LABELS))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Wav2Vec2CTCTokenizer"}))
    return str(folder)
