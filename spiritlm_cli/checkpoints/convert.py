"""Checkpoints with pickled weights, made over into the same with safetensors."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from spiritlm_cli.checkpoints.layout import RECORD, Checkpoint, file_hash, find_checkpoint
from spiritlm_cli.checkpoints.lazy_tensors import (
    LazyTensor,
    iter_tensors,
    list_tensors,
    same_tensors,
    weight_files,
)
from spiritlm_cli.checkpoints.tensors import (
    TensorFile,
    read_pickle,
    read_tensors,
    split_state,
    write_tensors,
    write_text,
)
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError

SHARD_SIZE = 4_000_000_000
_PICKLES = (".pt", ".bin", ".pth")
_CPU = torch.device("cpu")

Notify = Callable[[str], None]


@dataclass(frozen=True)
class ConversionResult:
    """What a conversion wrote.

    folder: the new checkpoint. files_written, bytes_written: by this run. files_kept: files that an earlier run of the
    same conversion had completed.
    """

    folder: Path
    files_written: int
    bytes_written: int
    files_kept: int


@dataclass(frozen=True)
class _Step:
    """A file to be written. name: under OUT, with `/`; size: its bytes, about; write: makes it at a path."""

    name: str
    size: int
    write: Callable[[Path], None]


def convert(
    model: str, out: Path, shard_size: int = SHARD_SIZE, notify: Notify = lambda message: None
) -> ConversionResult:
    """Write a checkpoint into the folder `out` with all weights as safetensors; the other files are copied.

    model: as `find_checkpoint` takes it, or a language model's Hugging Face folder. shard_size: the most bytes of a
    language model in one file; one such file is in memory at a time. notify: is told of each file, and what is skipped.
    A run that was broken off is gone on with: what has its name is complete. Raises CheckpointError where `out` holds
    anything else, where there is nothing to convert, or where a file can't be read.
    """
    root = _find_root(model)
    sources = {path.relative_to(root).as_posix(): path for path in _files(root)}
    made_from = _description(sources, shard_size)
    record = out / RECORD
    going_on = _check_out(root, out, made_from)
    steps = list(_steps(root, sources, shard_size, notify))
    if all(isinstance(step.write, partial) and step.write.func is _copy for step in steps):
        raise CheckpointError(f"{model}: its weights are safetensors already; there is nothing to convert")
    if twice := [name for name, count in Counter(step.name for step in steps).items() if count > 1]:
        raise CheckpointError(
            f"{model}: two files would become {twice[0]}; take away the one that isn't used"
        )
    missing = [step for step in steps if not (out / step.name).is_file()]
    if going_on and not missing and record.is_file():
        return ConversionResult(out, 0, 0, len(steps))
    if going_on:
        # where safetensors was writing when the earlier run was killed: as large as a shard, and nobody sees them
        for left in out.rglob(".tmp*"):
            left.unlink()
    _check_room(out, sum(step.size for step in missing))
    begun = record.with_name(RECORD + ".part")
    write_text(begun, _spelled(made_from))
    for number, step in enumerate(missing, 1):
        notify(f"{number}/{len(missing)} {step.name}")
        step.write(out / step.name)
    if _description(sources, shard_size) != made_from:
        raise CheckpointError(f"{root}: was changed while it was converted; empty {out} and convert it again")
    write_text(record, _spelled(made_from | _tokenizer_record(root, out)))
    size = sum((out / step.name).stat().st_size for step in missing)
    return ConversionResult(out, len(missing), size, len(steps) - len(missing))


def plan_shards(sizes: Sequence[int], shard_size: int) -> list[range]:
    """Which tensors go into which file: in order, as many as fit; one that is larger has a file of its own.

    sizes: bytes of each tensor.
    """
    shards: list[range] = []
    start, room = 0, shard_size
    for place, size in enumerate(sizes):
        if size > room and place > start:
            shards.append(range(start, place))
            start, room = place, shard_size
        room -= size
    return [*shards, range(start, len(sizes))] if sizes else []


def _find_root(model: str) -> Path:
    root = Path(model).expanduser()
    if (root / "config.json").is_file() and _is_language_model(root):
        return root
    return find_checkpoint(model).root


def _is_language_model(folder: Path) -> bool:
    """Whether a folder has a LLaMA's configuration; the style encoder's is a `config.json` too."""
    return bool(read_json(folder / "config.json").get("model_type", "llama") == "llama")


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder and its folders, sorted, through links, without hidden ones or the record of another
    conversion."""
    seen: set[str] = set()
    for top, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(top)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real not in seen:
            hidden = (".", RECORD) if Path(top) == folder else (".",)
            yield from (Path(top) / name for name in sorted(names) if not name.startswith(hidden))
        seen.add(real)


def _description(sources: Mapping[str, Path], shard_size: int) -> dict[str, Any]:
    """What tells one conversion from another."""
    facts = {name: path.stat() for name, path in sources.items()}
    return {
        "shard_size": shard_size,
        "sources": {
            name: {"size": fact.st_size, "modified": fact.st_mtime_ns} for name, fact in facts.items()
        },
    }


def _check_out(root: Path, out: Path, made_from: Mapping[str, Any]) -> bool:
    """Whether an earlier run has begun with the same into `out`. Raises CheckpointError where it can't be used."""
    if out.exists() and not out.is_dir():
        raise CheckpointError(f"{out}: is a file; -o takes a folder")
    if root.resolve() in (out.resolve(), *out.resolve().parents):
        raise CheckpointError(f"{out}: lies in {root}, which is to be converted; give -o another folder")
    if not out.is_dir() or not any(out.iterdir()):
        return False
    for path in (out / RECORD, out / f"{RECORD}.part"):
        if path.is_file():
            found = read_json(path)
            if {name: found.get(name) for name in made_from} == made_from:
                return True
    raise CheckpointError(
        f"{out}: holds something else than this conversion has begun; empty it, or give -o another folder"
    )


def _check_room(out: Path, needed: int) -> None:
    there = next(path for path in (out, *out.resolve().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise CheckpointError(
            f"{out}: takes {needed / 1e9:.1f} GB more, and the disk has {free / 1e9:.1f} GB; give -o another"
        )


def _steps(root: Path, sources: Mapping[str, Path], shard_size: int, notify: Notify) -> Iterator[_Step]:
    """What is to be written, in order."""
    pickles = {name: path for name, path in sources.items() if path.suffix in _PICKLES}
    of_language_models: dict[Path, list[_Step]] = {}
    for name, path in sources.items():
        folder = path.parent
        if name.startswith("speech_tokenizer/"):
            if name not in pickles:
                yield _Step(name, path.stat().st_size, partial(_copy, path))
                continue
            target = _safetensors_name(path)
            if target.is_file():
                notify(f"left out: {name}: safetensors are beside it")
                continue
            part = target.relative_to(root).as_posix()
            yield _Step(part, path.stat().st_size, partial(_convert_part, path, notify))
            continue
        if folder not in of_language_models:
            of_language_models[folder] = list(_language_model(root, folder, shard_size))
            yield from of_language_models[folder]
        if name.endswith(".bin.index.json"):
            continue  # names files that are not there any more
        if name not in pickles:
            yield _Step(name, path.stat().st_size, partial(_copy, path))
        elif not path.name.startswith("pytorch_model"):
            notify(f"left out: {name}: not the weights of a language model")
        elif not of_language_models[folder]:
            notify(f"left out: {name}: safetensors are beside it")


def _safetensors_name(path: Path) -> Path:
    """What a part of the speech tokenizer is called as safetensors, as `Checkpoint` finds it."""
    usual = path.with_name("model.safetensors")
    if path.name == "pytorch_model.bin" and not usual.is_file():
        return usual
    return path.with_name(f"{path.stem}.safetensors")


def _convert_part(source: Path, notify: Notify, target: Path) -> None:
    stored = list_tensors(source)
    if not stored:
        raise CheckpointError(
            f"{source}: holds no named tensors; if it is no part of the model, take it away"
        )
    _write(stored, target, _plain(split_state(source, read_pickle(source, mapped=True)), notify))


def _write(stored: Mapping[str, LazyTensor], target: Path, config: Mapping[str, Any] | None = None) -> None:
    # each in memory of its own: safetensors refuses those that share it, as tied weights do
    read = iter_tensors((one, _CPU, None) for one in stored.values())
    tensors = dict(zip(stored, read, strict=True))
    try:
        write_tensors(target, tensors, config)
    except (SafetensorError, ValueError, KeyError) as error:  # a full disk, or a dtype that it has none for
        raise CheckpointError(f"{target}: can't be written ({error})") from error


def _plain(file: TensorFile, notify: Notify) -> dict[str, Any]:
    """What stands beside the tensors, without what JSON can't say, such as an optimizer's state; that is told."""
    kept = {}
    for name, value in file.config.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            notify(f"left out: {file.path.name}: {name}: not plain values")
        else:
            kept[str(name)] = value
    return kept


def _language_model(root: Path, folder: Path, shard_size: int) -> Iterator[_Step]:
    """The files of a language model's weights where they are pickles; none where they are not, or are no weights."""
    if not any((folder / f"pytorch_model.bin{end}").is_file() for end in ("", ".index.json")):
        return
    _, files = weight_files(folder)
    if files[0].suffix == ".safetensors":
        return
    stored: dict[str, LazyTensor] = {}
    for file in files:
        stored |= list_tensors(file)
    tensors = list(stored.items())
    shards = plan_shards([one.size for _, one in tensors], shard_size)
    prefix = folder.relative_to(root)
    weight_map: dict[str, str] = {}
    for number, places in enumerate(shards, 1):
        some = dict(tensors[place] for place in places)
        count = "" if len(shards) == 1 else f"-{number:05d}-of-{len(shards):05d}"
        file_name = f"model{count}.safetensors"
        weight_map |= dict.fromkeys(some, file_name)
        size = sum(one.size for one in some.values())
        yield _Step((prefix / file_name).as_posix(), size, partial(_write, some))
    if len(shards) > 1:
        total = sum(one.size for _, one in tensors)
        index = json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}, indent=2)
        name = (prefix / "model.safetensors.index.json").as_posix()
        yield _Step(name, len(index), lambda path: write_text(path, index + "\n"))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    part.replace(target)


def _tokenizer_record(root: Path, out: Path) -> dict[str, Any]:
    """Whose tokens the converted tokenizer speaks: the fingerprint before, and by what its files are known.

    Raises CheckpointError where a file, read back, doesn't hold what it was made from: then it is not of this
    conversion, or the disk is at fault.
    """
    before, after = Checkpoint(root, root.name), Checkpoint(out, out.name)
    try:
        pairs = list(zip(before.tokenizer_files, after.tokenizer_files, strict=True))
    except CheckpointError:
        return {}  # some of a tokenizer's parts are not there, so it has no fingerprint
    for source, target in pairs:
        if not _holds_the_same(source, target):
            raise CheckpointError(f"{target}: doesn't hold what {source} does; delete it and run this again")
    hashes = {target.relative_to(out).as_posix(): file_hash(target) for _, target in pairs}
    return {"tokenizer": {"fingerprint": before.fingerprint(), "sha256": hashes}}


def _holds_the_same(source: Path, target: Path) -> bool:
    """Whether two files have the same tensors, with the same configuration beside them."""
    return same_tensors(source, target) and _config_text(source) == _config_text(target)


def _config_text(path: Path) -> str:
    file = (
        read_tensors(path)
        if path.suffix == ".safetensors"
        else split_state(path, read_pickle(path, mapped=True))
    )
    return json.dumps(_plain(file, lambda message: None), sort_keys=True)


def _spelled(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"
