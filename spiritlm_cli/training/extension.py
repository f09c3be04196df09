"""Extend a text model to speech: add markers and units to its tokenizer, and rows for them to its embeddings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import read_limited
from spiritlm_cli.language.text_tokenizer import read_tokenizer
from spiritlm_cli.language.tokenizers_vocabulary import canonical_name
from spiritlm_cli.training.vocabulary import append_names

# A `tokenizer.json` of 262,000 pieces and all merges has 33 MB.
MAX_TOKENIZER_BYTES = 200_000_000
# Noise around the mean of the text's rows, in standard deviations of these rows: new rows that are all equal would get
# equal gradients from the same contexts.
_MEAN_NOISE = 0.01


@dataclass(frozen=True, eq=False)
class ExtendedTokenizer:
    """The files of a tokenizer with new tokens, by name. known: number of its ids before."""

    files: dict[str, bytes]
    known: int


def extend_tokenizer(source: Path, names: Sequence[str]) -> ExtendedTokenizer:
    """Add tokens to the tokenizer of a Hugging Face folder.

    source: folder with a `tokenizer.json` or a `tokenizer.model`. names: such as `[Hu3]`; those that the tokenizer has
    are left out, also where it spells them in another way (`<Un3>`). New tokens get the ids after its last one.
    Raises CheckpointError if there is no tokenizer, or if it can't be read.
    """
    model, tokenizer_json = source / "tokenizer.model", source / "tokenizer.json"
    content = read_limited(model, MAX_TOKENIZER_BYTES, CheckpointError) if model.exists() else b""
    # a tokenizer.model with units is more exact than the tokenizer.json that transformers made from it
    if tokenizer_json.exists() and b"[Hu0]" not in content:
        name = tokenizer_json.name
        extended, known = _extend_json(tokenizer_json, names)
    elif content:
        name = model.name
        extended, known = append_names(content, names, model)
    else:
        raise CheckpointError(f"{source}: has no text tokenizer, tokenizer.json or tokenizer.model")
    return ExtendedTokenizer({name: extended} | _settings(source), known)


def tokenizer_files(folder: Path) -> dict[str, bytes]:
    """The files of a tokenizer, by name, without code that they name. Raises CheckpointError if there are none."""
    paths = [path for name in ("tokenizer.json", "tokenizer.model") if (path := folder / name).is_file()]
    if not paths:
        raise CheckpointError(f"{folder}: has no text tokenizer, tokenizer.json or tokenizer.model")
    files = {path.name: read_limited(path, MAX_TOKENIZER_BYTES, CheckpointError) for path in paths}
    return files | _settings(folder)


def _settings(folder: Path) -> dict[str, bytes]:
    """The `tokenizer_config.json` of a folder, if it has one."""
    path = folder / "tokenizer_config.json"
    if not path.exists():
        return {}
    # auto_map names code that transformers would run; tokens that were added are in tokenizer.json
    kept = {key: value for key, value in read_json(path).items() if key != "auto_map"}
    return {path.name: (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode()}


def _extend_json(path: Path, names: Sequence[str]) -> tuple[bytes, int]:
    from tokenizers import AddedToken

    tokenizer = read_tokenizer(read_limited(path, MAX_TOKENIZER_BYTES, CheckpointError), path)
    size = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    known = {canonical_name(token.content) for token in tokenizer.get_added_tokens_decoder().values()}
    new = [AddedToken(name, special=True, normalized=False) for name in names if name not in known]
    tokenizer.add_special_tokens(new)
    text: str = tokenizer.to_str()
    return text.encode(), size


def extend_embeddings(
    network: Any, known: int, size: int, init: str, text_ids: Sequence[int], seed: int
) -> None:
    """Give the embedding and the output layer of a network rows for new tokens.

    network: a causal language model of transformers, on a CPU. known: number of rows that are kept. size: number of
    tokens; the rows are padded to a multiple of 64. init: "random" draws the new rows as the network's own weights were
    drawn, as Spirit LM's were (Nguyen et al. 2024); "mean" from around the mean of the rows `text_ids`.
    """
    network.resize_token_embeddings(-(-size // 64) * 64, mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    # both are one tensor if the embeddings are tied
    weights = {
        id(layer.weight): layer for layer in (network.get_input_embeddings(), network.get_output_embeddings())
    }
    text = torch.tensor(text_ids)
    # transformers has two names for it, and 0.02 where a configuration has neither
    names = ("initializer_range", "init_std")
    deviation = next((value for name in names if (value := getattr(network.config, name, None))), 0.02)
    with torch.no_grad():
        for layer in weights.values():
            new = layer.weight[known:]
            noise = torch.randn(new.shape, generator=generator)
            if init == "mean":
                rows = layer.weight[text]
                new.copy_(rows.mean(0) + _MEAN_NOISE * rows.std() * noise)
            else:
                new.copy_(deviation * noise)
            if getattr(layer, "bias", None) is not None:
                layer.bias[known:] = layer.bias[text].mean()
