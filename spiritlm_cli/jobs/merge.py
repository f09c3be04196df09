"""Merge an adapter (LoRA) into the weights of its base model: `spiritlm models merge`."""

from pathlib import Path

import torch

from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import read_limited, write_bytes
from spiritlm_cli.jobs.options.merge import MergeOptions
from spiritlm_cli.language.adapters import merge_adapter, read_adapter
from spiritlm_cli.language.loading import list_weights, rope_values
from spiritlm_cli.language.transformers_loading import load_causal_lm
from spiritlm_cli.language.transformers_saving import save_causal_lm
from spiritlm_cli.training.extension import MAX_TOKENIZER_BYTES, tokenizer_files
from spiritlm_cli.training.starting_model import language_model_folder


def merge(options: MergeOptions) -> Path:
    """Write the Hugging Face folder of a base model with an adapter, and return it.

    Weights have the number format of the base model. The tokenizer is the adapter's, or the base model's if the adapter
    has none. The weights of the base model are in memory once.
    Raises CheckpointError for an adapter or a base model that can't be read, an adapter of another model, and an output
    that is not empty.
    """
    folder = options.output
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder}: is not an empty folder; give -o another one")
    adapter = read_adapter(options.adapter)
    base = options.base or adapter.base
    if not base:
        raise CheckpointError(f"{options.adapter}: names no base model; give --from MODEL")
    try:
        source = language_model_folder(base)
    except CheckpointError as error:
        if options.base:
            raise
        raise CheckpointError(f"{error}; --from names the base model") from error
    _, stored = list_weights(source)
    dtype: torch.dtype = getattr(torch, next(iter(stored.values())).dtype)
    network = load_causal_lm(source, torch.device("cpu"), dtype, _rope_theta(options.adapter, source))
    merge_adapter(network, adapter)
    has_tokenizer = any((options.adapter / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))
    files = tokenizer_files(options.adapter if has_tokenizer else source)
    for place in (options.adapter, source):
        path = place / "generation_config.json"
        if path.is_file() and path.name not in files:
            files[path.name] = read_limited(path, MAX_TOKENIZER_BYTES, CheckpointError)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_bytes(folder / name, content)
    save_causal_lm(network, folder, dtype)
    return folder


def _rope_theta(adapter: Path, base: Path) -> float | None:
    """The base of the rotary position embedding that an adapter was trained with, if it is not the base model's."""
    path = adapter / "config.json"
    if not path.is_file():
        return None
    configs = [read_json(place / "config.json") for place in (adapter, base)]
    trained, known = ((config | rope_values(config)).get("rope_theta") for config in configs)
    return float(trained) if isinstance(trained, int | float) and trained != known else None
