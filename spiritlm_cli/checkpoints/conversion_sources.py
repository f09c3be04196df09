"""What a conversion reads: a checkpoint, the folder of a language model, or a file of another program."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spiritlm_cli.checkpoints.checkpoint import CONVERSION_RECORD
from spiritlm_cli.checkpoints.conversion_steps import Notify, Step, plan_steps
from spiritlm_cli.checkpoints.fairseq_hubert import plan_hubert_steps
from spiritlm_cli.checkpoints.layout import find_checkpoint
from spiritlm_cli.checkpoints.slamkit import is_slamkit, plan_slamkit_steps
from spiritlm_cli.checkpoints.text_tokenizers import find_text_tokenizer
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import check_regular

# What the names of a text tokenizer's files begin with, among the names of the files that are read.
_TEXT_TOKENIZER = "text_tokenizer:"


@dataclass(frozen=True)
class Source:
    """What a conversion reads.

    root: a folder or a file. files: from names with `/` to all files that are read. plan: returns the files to write,
    in order; its argument is told what is left out.
    """

    root: Path
    files: Mapping[str, Path]
    plan: Callable[[Notify], Iterator[Step]]


def find_source(model: str, shard_size: int, text_tokenizer: str | None) -> Source:
    """Find what is to be converted. See `convert`. Raises CheckpointError."""
    root = Path(model).expanduser()
    if not root.is_file():
        root = _find_root(model)
    slamkit = root.is_dir() and is_slamkit(root)
    if text_tokenizer is not None and not slamkit:
        raise CheckpointError(f"{root}: is not a language model of slamkit; leave out --text-tokenizer")
    if root.is_file():
        return Source(root, {root.name: root}, partial(plan_hubert_steps, root))
    files = {path.relative_to(root).as_posix(): path for path in _list_files(root)}
    if not slamkit:
        return Source(root, files, partial(plan_steps, root, files, shard_size))
    tokenizer = None if text_tokenizer is None else find_text_tokenizer(text_tokenizer)
    others = sorted(tokenizer.glob("tokenizer*.json")) if tokenizer else []
    read = files | {_TEXT_TOKENIZER + path.name: path for path in others}
    return Source(root, read, partial(plan_slamkit_steps, root, files, tokenizer, shard_size))


def _find_root(model: str) -> Path:
    root = Path(model).expanduser()
    if (root / "config.json").is_file() and _is_language_model(root):
        return root
    return find_checkpoint(model).root


def _is_language_model(folder: Path) -> bool:
    """Whether a folder's `config.json` is a LLaMA's; that of the style encoder has the same name."""
    return bool(read_json(folder / "config.json").get("model_type", "llama") == "llama")


def _list_files(folder: Path) -> Iterator[Path]:
    """Yield the files in and below a folder, sorted. Follows links; skips hidden files and conversion records.

    Raises CheckpointError for a link that leads out of the folder, whose target would become a file of the output, and
    for what is no regular file.
    """
    inside = _link_boundary(folder)
    visited: set[str] = set()
    for top, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(top)
        _check_inside(Path(top), inside)
        folders[:] = [] if real in visited else sorted(name for name in folders if not name.startswith("."))
        if real not in visited:
            skipped = (".", CONVERSION_RECORD) if Path(top) == folder else (".",)
            for path in (Path(top) / name for name in sorted(names) if not name.startswith(skipped)):
                _check_inside(path, inside)
                check_regular(path, CheckpointError)
                yield path
        visited.add(real)


def _link_boundary(folder: Path) -> Path:
    """The folder that links may not leave: the checkpoint, or in the hub's cache the repository with all its files."""
    real = folder.resolve()
    in_cache = real.parent.name == "snapshots" and real.parent.parent.name.startswith("models--")
    return real.parent.parent if in_cache else real


def _check_inside(path: Path, folder: Path) -> None:
    try:
        real = path.resolve()
    except RuntimeError:  # a loop, before Python 3.13
        raise CheckpointError(f"{path}: is a link that leads to itself") from None
    if not real.is_relative_to(folder):
        raise CheckpointError(
            f"{path}: is a link to {real}, outside of the checkpoint; put a copy there if it is part of it"
        )
