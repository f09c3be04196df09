"""The audio of a manifest in one file, which trainings map into memory: a large corpus does not have to fit into it."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.console import counted, notify, one_line, track
from spiritlm_cli.errors import AudioError
from spiritlm_cli.files import atomic_path, naming
from spiritlm_cli.manifests.clip import Clip, FloatArray, Waveform

Samples = NDArray[np.int16]
# Clips that are read ahead.
_AHEAD = 16


def map_audio(clips: Sequence[Clip], folder: Path) -> list[Samples]:
    """Return the samples of clips, (samples,) int16 at 16 kHz, from `folder`/audio-CHECKSUM.i16.

    The file is written if it is not there. It has the samples of all clips, clipped to full scale, and after them the
    number of samples of each, as int64. The checksum is of the clips' paths and intervals, and of the sizes and times
    of their files, so that changed audio is read again.
    Raises AudioError for a clip that can't be read, and OSError if the file can't be written.
    """
    if not clips:
        return []
    path = folder / f"audio-{_checksum(clips)}.i16"
    counts = _read_counts(path, len(clips))
    if counts is None:
        folder.mkdir(parents=True, exist_ok=True)
        counts = _write(path, clips)
    with naming(path):
        samples = np.memmap(path, dtype=np.int16, mode="r", shape=(int(counts.sum()),))
    return np.split(samples, counts.cumsum()[:-1])


def to_float(samples: Samples) -> FloatArray:
    """Convert samples of `map_audio` to float32 within ±1, of the same shape."""
    result: FloatArray = samples.astype(np.float32) / np.float32(32767)
    return result


def read_clips(clips: Sequence[Clip], description: str) -> Iterator[tuple[Clip, Waveform]]:
    """Yield clips with their audio at 16 kHz, read ahead by threads, with progress.

    Raises AudioError, which names the clip, for one that can't be read; before the first is read if files are missing.
    """
    missing = [clip for clip in clips if not Path(clip.source).exists()]
    if missing:
        first, more = missing[0], len(missing) - 1
        others = f"; so are those of {counted(more, 'more clip')}" if more else ""
        raise AudioError(f"the clip {one_line(first.id)}: {first.source}: no such file{others}")

    def read() -> Iterator[tuple[Clip, Waveform]]:
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(clips), _AHEAD):
                block = clips[start : start + _AHEAD]
                yield from zip(block, pool.map(read_named_clip, block), strict=True)

    return iter(track(read(), description, len(clips)))


def read_named_clip(clip: Clip) -> Waveform:
    """Read a clip's audio at 16 kHz. Raises AudioError, which names the clip."""
    try:
        return read_clip(clip)
    except AudioError as error:
        raise AudioError(f"the clip {one_line(clip.id)}: {error}") from error


def _write(path: Path, clips: Sequence[Clip]) -> NDArray[np.int64]:
    """Write the file, atomically, and return the number of samples of each clip."""
    counts = np.zeros(len(clips), dtype=np.int64)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for index, (_, waveform) in enumerate(read_clips(clips, "clips read")):
            # resampled and lossy audio exceeds full scale
            samples = np.round(waveform.samples.clip(-1, 1) * 32767).astype(np.int16)
            file.write(samples.tobytes())
            counts[index] = len(samples)
        file.write(counts.tobytes())
    size = f"{2 * counts.sum() / 1e6:.1f} MB"
    notify(f"{path}: audio of {counted(len(clips), 'clip')}, {size}, for all trainings in this folder")
    return counts


def _read_counts(path: Path, clips: int) -> NDArray[np.int64] | None:
    """The number of samples of each clip in a file; None if there is no file, or not one of so many clips."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < 8 * clips:
            return None
        file.seek(size - 8 * clips)
        counts = np.frombuffer(file.read(8 * clips), dtype=np.int64)
    return counts if (counts >= 0).all() and 2 * counts.sum() + 8 * clips == size else None


def _checksum(clips: Sequence[Clip]) -> str:
    """Eight hexadecimal digits that change with the clips and their files."""
    digest = hashlib.sha256()
    for clip in clips:
        try:
            status = Path(clip.source).stat()
            state = (status.st_size, status.st_mtime_ns)
        except OSError:
            state = (0, 0)  # reading it says what is wrong
        digest.update(repr((str(clip.source), clip.start, clip.end, *state)).encode())
    return digest.hexdigest()[:8]
