"""The files that a conversion to safetensors writes, and how each is made."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from spiritlm_cli.checkpoints.checkpoint import HUGGING_FACE_WEIGHTS
from spiritlm_cli.checkpoints.kmeans_pickles import read_kmeans
from spiritlm_cli.checkpoints.lazy_tensors import LazyTensor, iter_tensors, list_tensors, weight_files
from spiritlm_cli.checkpoints.open_layouts import TwistCheckpoint
from spiritlm_cli.checkpoints.pickles import read_pickle
from spiritlm_cli.checkpoints.tensors import TensorFile, split_state, write_tensors
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import atomic_path, write_text

Notify = Callable[[str], None]

# Name of the tensor of a k-means, (units, dim).
CENTERS = "cluster_centers"
_PICKLES = (".pt", ".bin", ".pth")
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Step:
    """A file to write.

    name: path in the new folder, with `/`. size: about its bytes. write: writes it to a path. converts: whether it has
    tensors from a pickle; otherwise it is a copy.
    """

    name: str
    size: int
    write: Callable[[Path], None]
    converts: bool = True


def plan_steps(root: Path, sources: Mapping[str, Path], shard_size: int, notify: Notify) -> Iterator[Step]:
    """Yield the files to write, in order.

    sources: from names, relative to `root` and with `/`, to the files of the checkpoint. shard_size: most bytes of a
    language model in one file. notify: is told which sources are left out, and why.
    """
    shards: dict[Path, list[Step]] = {}
    for name, path in sources.items():
        folder, is_pickle = path.parent, path.suffix in _PICKLES
        if name == TwistCheckpoint.QUANTIZER:
            yield from _kmeans_step(root, name, path, notify)
            continue
        if name == TwistCheckpoint.GENERATOR:
            yield from _tokenizer_step(root, name, path, notify)
            continue
        if name.startswith("speech_tokenizer/"):
            yield from _tokenizer_step(root, name, path, notify) if is_pickle else [copy_step(name, path)]
            continue
        if folder not in shards:
            shards[folder] = list(language_model_steps(root, folder, shard_size))
            yield from shards[folder]
        if name.endswith(".bin.index.json"):
            continue  # It names the pickles that the shards replace.
        if not is_pickle:
            yield copy_step(name, path)
        elif not path.name.startswith("pytorch_model"):
            notify(f"left out: {name}: not the weights of a language model")
        elif not shards[folder]:
            notify(f"left out: {name}: safetensors are beside it")


def plan_shards(sizes: Sequence[int], shard_size: int) -> list[range]:
    """Distribute tensors over files: in order, as many as fit into each; a larger tensor has a file of its own.

    sizes: bytes of each tensor. Returns the indices of the tensors in each file.
    """
    shards: list[range] = []
    start, room = 0, shard_size
    for index, size in enumerate(sizes):
        if size > room and index > start:
            shards.append(range(start, index))
            start, room = index, shard_size
        room -= size
    return [*shards, range(start, len(sizes))] if sizes else []


def json_config(file: TensorFile, notify: Notify = lambda message: None) -> dict[str, Any]:
    """Return the configuration beside a file's tensors, without values that JSON has no form for.

    notify: is told of each value that is left out, such as the state of an optimizer.
    """
    config = {}
    for name, value in file.config.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            notify(f"left out: {file.path.name}: {name}: not plain values")
        else:
            config[str(name)] = value
    return config


def copy_step(name: str, path: Path) -> Step:
    """A copy of a file. name: see `Step`."""
    return Step(name, path.stat().st_size, partial(_copy, path), converts=False)


def text_step(name: str, text: str) -> Step:
    """A text file. name: see `Step`."""
    return Step(name, len(text), lambda path: write_text(path, text))


def json_step(name: str, content: Mapping[str, Any]) -> Step:
    """A JSON file. name: see `Step`."""
    return text_step(name, json.dumps(content, indent=2) + "\n")


def _tokenizer_step(root: Path, name: str, path: Path, notify: Notify) -> Iterator[Step]:
    """Yield the safetensors file for a pickled part of the speech tokenizer or vocoder, unless there is one already."""
    target = _safetensors_name(path)
    if target.is_file():
        notify(f"left out: {name}: safetensors are beside it")
        return
    target_name = target.relative_to(root).as_posix()
    yield Step(target_name, path.stat().st_size, partial(_convert_part, path, notify))


def _kmeans_step(root: Path, name: str, path: Path, notify: Notify) -> Iterator[Step]:
    """Yield the safetensors file for the pickled k-means of TWIST, unless there is one already."""
    for step in _tokenizer_step(root, name, path, notify):
        yield replace(step, write=partial(_convert_kmeans, path))


def _convert_kmeans(source: Path, target: Path) -> None:
    write_tensors(target, {CENTERS: read_kmeans(source)})


def _safetensors_name(path: Path) -> Path:
    """Return the name under which `Checkpoint` looks for the safetensors of a pickled part."""
    safetensors, pickle = HUGGING_FACE_WEIGHTS
    if path.name == pickle:
        return path.with_name(safetensors)
    return path.with_name(f"{path.stem}.safetensors")


def _convert_part(source: Path, notify: Notify, target: Path) -> None:
    entries = list_tensors(source)
    if not entries:
        raise CheckpointError(
            f"{source}: holds no named tensors; if it is no part of the model, take it away"
        )
    _write(entries, target, json_config(split_state(source, read_pickle(source, mapped=True)), notify))


def language_model_steps(
    root: Path, folder: Path, shard_size: int, rename: Callable[[str], str] | None = None
) -> Iterator[Step]:
    """Yield the weight files of a language model, and their index; nothing unless its weights are pickles.

    root, shard_size: see `plan_steps`. rename: from the name of a tensor to its new one; with it, safetensors are
    written anew too.
    """
    pickles = [folder / f"pytorch_model.bin{end}" for end in ("", ".index.json")]
    if rename is None and not any(path.is_file() for path in pickles):
        return
    _, files = weight_files(folder)
    if rename is None and files[0].suffix == ".safetensors":
        return
    entries: dict[str, LazyTensor] = {}
    for file in files:
        for name, entry in list_tensors(file).items():
            new = rename(name) if rename else name
            if rename and new in entries:
                raise CheckpointError(f"{file}: {new} is there under two names")
            entries[new] = entry
    tensors = list(entries.items())
    shards = plan_shards([entry.size for _, entry in tensors], shard_size)
    prefix = folder.relative_to(root)
    weight_map: dict[str, str] = {}
    for number, indices in enumerate(shards, 1):
        shard = dict(tensors[index] for index in indices)
        suffix = "" if len(shards) == 1 else f"-{number:05d}-of-{len(shards):05d}"
        file_name = f"model{suffix}.safetensors"
        weight_map |= dict.fromkeys(shard, file_name)
        size = sum(entry.size for entry in shard.values())
        yield Step((prefix / file_name).as_posix(), size, partial(_write, shard))
    if len(shards) > 1:
        total = sum(entry.size for _, entry in tensors)
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        yield json_step((prefix / "model.safetensors.index.json").as_posix(), index)


def _write(entries: Mapping[str, LazyTensor], target: Path, config: Mapping[str, Any] | None = None) -> None:
    # Each tensor is read into memory of its own: safetensors refuses tensors that share it, as tied weights do.
    values = iter_tensors((entry, _CPU, None) for entry in entries.values())
    tensors = dict(zip(entries, values, strict=True))
    try:
        write_tensors(target, tensors, config)
    except (ValueError, KeyError) as error:  # an unsupported dtype
        raise CheckpointError(f"{target}: can't be written ({error})") from error


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
