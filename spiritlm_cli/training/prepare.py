"""Prepare data for the language model: write texts, token lines and clips to Arrow files, see `prepared`."""

import json
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from spiritlm_cli.alignment.pool import POCKETSPHINX, available_cpus
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.console import notify, track
from spiritlm_cli.errors import CheckpointError, ManifestError
from spiritlm_cli.files import read_bytes, write_text
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.labels import without_labels
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.text_files import (
    bounded_lines,
    inflated_error,
    max_inflated,
    open_text,
    read_errors,
)
from spiritlm_cli.third_party import needs_extra
from spiritlm_cli.training.corpus import list_files, make_utterances
from spiritlm_cli.training.data import UnitsFile
from spiritlm_cli.training.highest_units import HighestUnits
from spiritlm_cli.training.left_out import LeftOut
from spiritlm_cli.training.prepare_options import PrepareOptions
from spiritlm_cli.training.prepared import INDEX, KINDS, VERSION, shard_path
from spiritlm_cli.training.shards import RawLine, Shard, read_shard, write_clips, write_lines

# What a shard has at most, in rows and bytes of lines, and in clips.
ROWS, BYTES, CLIPS = 100_000, 1 << 25, 2000
_PART = "prepared.part.json"


def prepare(options: PrepareOptions) -> None:
    """Write the folder `options.output`.

    Lines and clips that can't be used are left out and reported on stderr.
    Raises CheckpointError if the folder has prepared data, or can't be resumed; ManifestError for inputs that can't be
    read or have no content, and MissingPackageError without the extra `train`.
    """
    with needs_extra("datasets", extra="train", purpose="prepared data"):
        import pyarrow  # noqa: F401
    left_out, highest = LeftOut("lines and clips"), HighestUnits()
    shards = {kind: 0 for kind in KINDS}
    rows = dict(shards)
    with UnitsFile(options.units) if options.units else nullcontext() as units:
        _begin(options)
        for kind, paths in (("text", options.text), ("lines", options.lines)):
            for written in _write_lines(options, kind, list_files(paths), left_out):
                shards[kind] += 1
                rows[kind] += written.rows
                highest.merge(written.highest)
        if options.manifest and units:
            for written in _write_clips(options, options.manifest, units, left_out):
                shards["clips"] += 1
                rows["clips"] += written.rows
                highest.merge(written.highest)
    left_out.finish()
    if not any(rows.values()):
        _clear(options.output)
        raise ManifestError("there is nothing in the inputs that can be used")
    index = {"version": VERSION, "shards": shards, "rows": rows, "units": highest.to_json()}
    index["inputs"] = _inputs(options)
    write_text(options.output / INDEX, json.dumps(index, indent=2) + "\n")
    (options.output / _PART).unlink(missing_ok=True)
    notify(f"{options.output}: {rows['text']} texts, {rows['lines']} token lines, {rows['clips']} clips")


def _inputs(options: PrepareOptions) -> dict[str, Any]:
    """Names and sizes of the inputs, and the options that decide what is written."""
    paths = [*options.text, *options.lines, *filter(None, (options.manifest, options.units))]
    files = [[str(path.resolve()), path.stat().st_size] for path in list_files(paths)]
    return {"files": files, "align": options.align}


def _begin(options: PrepareOptions) -> None:
    """Check and mark the folder: a new one, one to resume, or one whose data are replaced."""
    folder, part = options.output, options.output / _PART
    inputs = _inputs(options)
    if options.resume:
        if not part.is_file():
            raise CheckpointError(f"{folder}: there is nothing to resume: leave out --resume")
        if json.loads(read_bytes(part, CheckpointError)) != inputs:
            raise CheckpointError(f"{folder}: was begun with other inputs; start again with --overwrite")
        return
    if not options.overwrite:
        if (folder / INDEX).exists():
            raise CheckpointError(
                f"{folder}: has prepared data; give --overwrite to replace them, or another folder"
            )
        if part.exists() and _shards(folder):
            same = json.loads(read_bytes(part, CheckpointError)) == inputs
            resume = "--resume to continue" if same else "the same inputs and --resume to continue"
            raise CheckpointError(
                f"{folder}: has data whose preparation did not end; give {resume}, --overwrite to start again, or "
                "another folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder)
    write_text(part, json.dumps(inputs))


def _shards(folder: Path) -> list[Path]:
    return [path for kind in KINDS for path in folder.glob(f"{kind}-?????.arrow")]


def _clear(folder: Path) -> None:
    """Remove what was prepared in a folder."""
    for path in (folder / INDEX, *_shards(folder), folder / _PART):
        path.unlink(missing_ok=True)


def _write_lines(options: PrepareOptions, kind: str, files: list[Path], left_out: LeftOut) -> Iterator[Shard]:
    """Write the shards of texts or token lines."""
    workers = options.workers or available_cpus()
    # checking token lines takes much longer than reading them; texts are only copied
    if kind == "lines" and workers > 1:
        pool: Executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    else:
        pool, workers = ThreadPoolExecutor(1), 1
    pending: deque[Any] = deque()

    def finished() -> Shard:
        shard: Shard = pending.popleft().result()
        for reason in shard.reasons:
            left_out.add(reason)
        return shard

    with pool:
        for number, lines in enumerate(track(_chunks(files, cr=kind == "text"), f"shards of {kind}")):
            path = shard_path(options.output, kind, number)
            if path.exists():
                pending.append(pool.submit(read_shard, path, kind))
            else:
                pending.append(pool.submit(write_lines, path, kind, lines))
            if len(pending) > workers + 1:
                yield finished()
        while pending:
            yield finished()


def _chunks(files: Iterable[Path], cr: bool) -> Iterator[list[RawLine]]:
    """Divide the lines of files into what a shard has at most. cr: a CR ends a line too.

    Raises ManifestError for files that can't be read.
    """
    chunk: list[RawLine] = []
    size = 0
    for path in files:
        with read_errors(str(path)), open_text(path) as stream:
            left = max_inflated(path)
            for number, content in enumerate(bounded_lines(stream, cr=cr), 1):
                left -= len(content)
                if left < 0:
                    raise inflated_error(str(path))
                if content.isspace():
                    continue
                chunk.append(RawLine(str(path), number, content))
                size += len(content)
                if len(chunk) >= ROWS or size >= BYTES:
                    yield chunk
                    chunk, size = [], 0
    if chunk:
        yield chunk


def _write_clips(
    options: PrepareOptions, manifest: Path, units: UnitsFile, left_out: LeftOut
) -> Iterator[Shard]:
    """Write the shards of clips."""
    aligner = POCKETSPHINX if options.align else None
    with WordTimes(aligner=aligner, workers=options.workers or available_cpus()) as times:
        for number, clips in enumerate(track(_clip_chunks(manifest), "shards of clips")):
            path = shard_path(options.output, "clips", number)
            if path.exists():
                yield read_shard(path, "clips")
                continue
            known = []
            for clip in clips:
                if clip.id in units:
                    known.append(clip)
                else:
                    left_out.add(f"{clip.id}: has no units in {options.units}")
            utterances = make_utterances(
                [(clip, times.submit(clip)) for clip in known], units.__getitem__, left_out.add
            )
            yield write_clips(path, utterances)


def _clip_chunks(manifest: Path) -> Iterator[list[Clip]]:
    chunk: list[Clip] = []
    for clip in read_manifest(manifest):
        chunk.append(without_labels(clip)[0])
        if len(chunk) >= CLIPS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
