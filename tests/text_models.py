"""Tiny text models with tokenizers of their own, from which trainings of a language model start."""

from pathlib import Path
from typing import Any

import torch
from causal_lm import causal_lm
from text_tokenizers import byte_fallback, byte_level, encoded

from spiritlm_cli.training.language_model_options import LanguageModelOptions

TOKENIZERS = {
    "llama": byte_level("text-llama"),
    "qwen2": byte_level("text-qwen"),
    "opt": byte_level("text-qwen"),
    "gpt2": byte_level("text-qwen"),
    "gpt_neox": byte_level("text-qwen"),
    "gemma": byte_fallback(),
}
LINE = "[TEXT]the cat [SPEECH][Hu3][Hu7][Pi2][St1][TEXT]sat"


def text_model(folder: Path, kind: str, **changes: Any) -> Path:
    """Write a text model. changes: other values of its configuration, such as the dtype."""
    content = TOKENIZERS[kind]
    last = max([*content["model"]["vocab"].values(), *(token["id"] for token in content["added_tokens"])])
    # as many models do, with more rows than tokens
    network = causal_lm(kind, **{"vocab_size": last + 9} | changes)
    network.to(network.config.dtype or torch.float32).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(encoded(content))
    return folder


def lines_options(folder: Path, output: Path, **changes: Any) -> LanguageModelOptions:
    """Options of a short training from a text model on one token line, which is written beside `output`."""
    lines = output.parent / "lines.txt"
    lines.write_text(f"{LINE}\n")
    options = {
        "output": output,
        "base": str(folder),
        "context": 32,
        "lines": (lines,),
        "steps": 3,
        "batch": 1,
    }
    return LanguageModelOptions(
        **{**options, "bf16": False, "learning_rate": 1e-2, "tensorboard": False, **changes}
    )
