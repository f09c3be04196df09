"""Text tokenizers of the kinds that language models have, as the object in their `tokenizer.json`."""

import json
import re
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

OPEN_MODELS = Path(__file__).parent / "data" / "open_models"
SPACE = "\u2581"
_SPECIAL = ["<unk>", "<s>", "</s>"]
_BYTES = [f"<0x{value:02X}>" for value in range(256)]
_MERGES = [["t", "h"], ["th", "e"], [SPACE, "the"], ["c", "a"], ["ca", "t"], [SPACE, "cat"], [SPACE, SPACE]]


def byte_level(name: str = "text-qwen") -> dict[str, Any]:
    """Byte-level BPE as of GPT-2, Llama 3 and Qwen. name: "text-llama", which has a start token, or "text-qwen"."""
    content: dict[str, Any] = json.loads((OPEN_MODELS / f"{name}.json").read_text())
    return content


def byte_fallback() -> dict[str, Any]:
    """BPE over characters, with a space in front and bytes for the rest, as of Llama 2, Mistral and Gemma."""
    pieces = [*_SPECIAL, *_BYTES, SPACE, *string.ascii_letters, *("".join(merge) for merge in _MERGES)]
    model = {
        "type": "BPE",
        "unk_token": "<unk>",
        "fuse_unk": True,
        "byte_fallback": True,
        "vocab": {piece: number for number, piece in enumerate(pieces)},
        "merges": _MERGES,
    }
    normalizer = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        ],
    }
    return _tokenizer(model, normalizer, None)


def unigram() -> dict[str, Any]:
    """Unigram pieces with bytes, and spaces replaced by the pre-tokenizer."""
    words = [SPACE, *string.ascii_letters, "the", f"{SPACE}the", f"{SPACE}cat", "[Hu3]"]
    model = {
        "type": "Unigram",
        "unk_id": 0,
        "byte_fallback": True,
        "vocab": [[piece, -1.0 - number / 100] for number, piece in enumerate([*_SPECIAL, *_BYTES, *words])],
    }
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    return _tokenizer(model, None, metaspace)


def add_tokens(content: dict[str, Any], names: Iterable[str], special: bool = False) -> dict[str, Any]:
    """Add tokens with the next ids, as transformers does."""
    vocab = content["model"]["vocab"]
    first = max([len(vocab), *(token["id"] + 1 for token in content["added_tokens"])])
    added = [_added(name, first + number, special) for number, name in enumerate(names)]
    return content | {"added_tokens": [*content["added_tokens"], *added]}


def token_line(prompt: str) -> str:
    """A prompt in slamkit's spelling as a token line."""
    line = re.sub(r"<Un(\d+)>", r"[Hu\1]", prompt).replace("<speech>", "[SPEECH]").replace("<text>", "[TEXT]")
    return line if line.startswith(("[SPEECH]", "[TEXT]")) else f"[SPEECH]{line}"


def encoded(content: dict[str, Any]) -> bytes:
    """The file `tokenizer.json`."""
    return json.dumps(content).encode()


def _tokenizer(model: Any, normalizer: Any, pre_tokenizer: Any) -> dict[str, Any]:
    start = {"id": "<s>", "ids": [1], "tokens": ["<s>"]}
    return {
        "version": "1.0",
        "added_tokens": [_added(name, number, True) for number, name in enumerate(_SPECIAL)],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": start},
        },
        "model": model,
    }


def _added(name: str, number: int, special: bool) -> dict[str, Any]:
    return {"id": number, "content": name, "special": special, "normalized": not special} | dict.fromkeys(
        ("single_word", "lstrip", "rstrip"), False
    )
