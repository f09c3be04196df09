"""Conversion of checkpoints with pickled weights to safetensors."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spiritlm_cli.checkpoints.checkpoint import CONVERSION_RECORD, file_hash
from spiritlm_cli.checkpoints.conversion_sources import find_source
from spiritlm_cli.checkpoints.conversion_steps import CENTERS, Notify, Step, json_config
from spiritlm_cli.checkpoints.kmeans_pickles import read_kmeans
from spiritlm_cli.checkpoints.layout import checkpoint_at
from spiritlm_cli.checkpoints.lazy_tensors import equal_tensors
from spiritlm_cli.checkpoints.open_layouts import TwistCheckpoint
from spiritlm_cli.checkpoints.pickles import is_torch_file, read_pickle
from spiritlm_cli.checkpoints.tensors import read_tensors, split_state, write_tensors
from spiritlm_cli.config import read_json
from spiritlm_cli.console import ProgressBar
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import write_text

SHARD_SIZE = 4_000_000_000


@dataclass(frozen=True)
class ConversionResult:
    """What a conversion wrote.

    output: the new folder or file. files_written, bytes_written: by this run. files_kept: files that an earlier run of
    the same conversion had completed.
    """

    output: Path
    files_written: int
    bytes_written: int
    files_kept: int


def convert(
    model: str,
    out: Path,
    shard_size: int = SHARD_SIZE,
    notify: Notify = lambda message: None,
    text_tokenizer: str | None = None,
) -> ConversionResult:
    """Write a checkpoint to the folder `out` with all weights as safetensors; other files are copied.

    model: see `find_checkpoint`, or one of
    - the Hugging Face folder of a language model;
    - the folder of a slamkit model, which becomes that of its base model, with units in its vocabulary;
    - the file of a HuBERT, of fairseq or of a checkpoint, which becomes a folder of transformers' `HubertModel`;
    - the file of a pickled k-means, for which see `convert_kmeans`.
    shard_size: most bytes of a language model in one file; the tensors of one file are in memory at a time. notify: is
    told of each file that is written or left out. text_tokenizer: that of a slamkit model that has none in its folder;
    see `find_text_tokenizer`.
    A conversion that was interrupted is continued: files that have their final name are complete. Equal checkpoints
    become equal files.
    Raises CheckpointError if `out` holds anything else, if there is nothing to convert, if a file can't be read or
    written, or if a link leads out of the checkpoint.
    """
    given = Path(model).expanduser()
    if given.is_file() and given.suffix != ".safetensors" and not is_torch_file(given):
        if text_tokenizer is not None:
            raise CheckpointError(f"{given}: a k-means has no text; leave out --text-tokenizer")
        return convert_kmeans(given, out)
    source = find_source(model, shard_size, text_tokenizer)
    root, sources = source.root, source.files
    description = _describe(sources, shard_size)
    record, unfinished = out / CONVERSION_RECORD, out / f"{CONVERSION_RECORD}.part"
    resuming = _check_out(root, out, description, partial(_content, sources, shard_size))
    steps = list(source.plan(notify))
    _check_steps(model, steps)
    missing = [step for step in steps if not (out / step.name).is_file()]
    if resuming and not missing and record.is_file():
        unfinished.unlink(missing_ok=True)
        return ConversionResult(out, 0, 0, len(steps))
    if resuming:
        # Temporary files of a run that was killed: hidden, and up to a shard in size.
        for temporary in out.rglob(".tmp*"):
            temporary.unlink()
    _check_disk(out, sum(step.size for step in missing))
    write_text(unfinished, _to_json(description))
    with ProgressBar("files", len(missing)) as bar:
        for number, step in enumerate(missing, 1):
            if not bar.visible:
                notify(f"{number}/{len(missing)} {step.name}")
            _write_step(step, out / step.name)
            bar.update(advance=1)
    if _describe(sources, shard_size) != description:
        raise CheckpointError(f"{root}: was changed while it was converted; empty {out} and convert it again")
    write_text(record, _to_json(_content(sources, shard_size) | _tokenizer_record(root, out)))
    unfinished.unlink()
    size = sum((out / step.name).stat().st_size for step in missing)
    return ConversionResult(out, len(missing), size, len(steps) - len(missing))


def convert_kmeans(source: Path, out: Path) -> ConversionResult:
    """Write the centers of a pickled k-means of scikit-learn as the tensor `cluster_centers` of a safetensors file.

    `cluster_centers` is (units, dim), of the dtype in the source. Raises CheckpointError if `out` is not named as a
    safetensors file, if it is there and is another file, or if a file can't be read or written.
    """
    if out.suffix != ".safetensors":
        raise CheckpointError(
            f"{out}: a k-means becomes a file, not a folder; give -o a name such as {source.stem}.safetensors"
        )
    centers = read_kmeans(source)
    if out.is_file() and _holds_centers(out, centers):
        return ConversionResult(out, 0, 0, 1)
    if out.exists():
        raise CheckpointError(f"{out}: is there already, and is not {source} converted; give -o another name")
    _write_step(Step(out.name, centers.nbytes, lambda path: write_tensors(path, {CENTERS: centers})), out)
    return ConversionResult(out, 1, out.stat().st_size, 0)


def _holds_centers(path: Path, centers: Tensor) -> bool:
    stored = read_tensors(path).tensors.get(CENTERS)
    return stored is not None and stored.dtype == centers.dtype and torch.equal(stored, centers)


def _write_step(step: Step, path: Path) -> None:
    try:
        step.write(path)
    except OSError as error:
        named = f"{error.filename}: " if error.filename and str(error.filename) != str(path) else ""
        raise CheckpointError(f"{path}: can't be written ({named}{error.strerror or error})") from error


def _content(sources: Mapping[str, Path], shard_size: int) -> dict[str, Any]:
    """Return what a finished conversion is known by, as JSON values: the content of its sources."""
    return {
        "shard_size": shard_size,
        "sources": {
            name: {"size": path.stat().st_size, "sha256": file_hash(path)} for name, path in sources.items()
        },
    }


def _describe(sources: Mapping[str, Path], shard_size: int) -> dict[str, Any]:
    """Return what an unfinished conversion is known by, as JSON values: the sizes and times of its sources."""
    stats = {name: path.stat() for name, path in sources.items()}
    return {
        "shard_size": shard_size,
        "sources": {
            name: {"size": stat.st_size, "modified": stat.st_mtime_ns} for name, stat in stats.items()
        },
    }


def _check_out(
    root: Path, out: Path, description: Mapping[str, Any], content: Callable[[], Mapping[str, Any]]
) -> bool:
    """Return whether `out` holds an earlier run of the same conversion. Raises CheckpointError if it can't be used.

    description, content: what the conversion is known by while it is unfinished, and when it is finished.
    """
    if out.exists() and not out.is_dir():
        raise CheckpointError(f"{out}: is a file; -o takes a folder")
    if root.resolve() in (out.resolve(), *out.resolve().parents):
        raise CheckpointError(f"{out}: lies in {root}, which is to be converted; give -o another folder")
    if not out.is_dir() or not any(out.iterdir()):
        return False
    candidates: list[tuple[Path, Callable[[], Mapping[str, Any]]]] = [
        (out / f"{CONVERSION_RECORD}.part", lambda: description),
        (out / CONVERSION_RECORD, content),
    ]
    for path, describe in candidates:
        if path.exists():
            record, expected = read_json(path), describe()
            if {name: record.get(name) for name in expected} == expected:
                return True
    raise CheckpointError(
        f"{out}: holds something else than this conversion has begun; empty it, or give -o another folder"
    )


def _check_steps(model: str, steps: list[Step]) -> None:
    """Raise CheckpointError if nothing is converted, or if two files would have the same name."""
    if not any(step.converts for step in steps):
        raise CheckpointError(f"{model}: its weights are safetensors already; there is nothing to convert")
    for name, count in Counter(step.name for step in steps).items():
        if count > 1:
            raise CheckpointError(
                f"{model}: two files would become {name}; take away the one that isn't used"
            )


def _check_disk(out: Path, size: int) -> None:
    """Raise CheckpointError if the disk of `out` has less than `size` bytes free."""
    existing = next(path for path in (out, *out.resolve().parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise CheckpointError(
            f"{out}: takes {size / 1e9:.1f} GB more, and the disk has {free / 1e9:.1f} GB; give -o another"
        )


def _tokenizer_record(root: Path, out: Path) -> dict[str, Any]:
    """Return the fingerprint of the source's tokenizer, and the hashes of the converted files that it stands for.

    Empty if the checkpoint has no tokenizer. Raises CheckpointError if a converted file, read back, has other tensors
    or another configuration than its source: it is not from this conversion, or the disk is at fault.
    """
    try:
        before, after = checkpoint_at(root, root.name), checkpoint_at(out, out.name)
        pairs = list(zip(before.tokenizer_files, after.tokenizer_files, strict=True))
    except CheckpointError:
        return {}
    for source, target in pairs:
        if not _is_conversion(source, target):
            raise CheckpointError(f"{target}: doesn't hold what {source} does; delete it and run this again")
    hashes = {target.relative_to(out).as_posix(): file_hash(target) for _, target in pairs}
    return {"tokenizer": {"fingerprint": before.fingerprint(), "sha256": hashes}}


def _is_conversion(source: Path, target: Path) -> bool:
    """Whether a file holds the tensors and the configuration of its source."""
    if source.name == TwistCheckpoint.QUANTIZER:
        return _holds_centers(target, read_kmeans(source))
    return equal_tensors(source, target) and _config_json(source) == _config_json(target)


def _config_json(path: Path) -> str:
    is_safetensors = path.suffix == ".safetensors"
    file = read_tensors(path) if is_safetensors else split_state(path, read_pickle(path, mapped=True))
    return json.dumps(json_config(file), sort_keys=True)


def _to_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"
