"""Training data: audio, labels and units by clip id."""

import os
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiritlm_cli.console import counted, log, notify, one_line
from spiritlm_cli.errors import ManifestError, SpiritLMError, TokenError
from spiritlm_cli.files import write_text
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.manifests.manifest import read_manifest
from spiritlm_cli.manifests.row import parse_json_fields
from spiritlm_cli.speech.windows import SAMPLE_RATE, WINDOW_SAMPLES
from spiritlm_cli.text_files import bounded_lines, numbered_lines, read_errors, valid_lines
from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Header
from spiritlm_cli.tokens.units import Kind, Units
from spiritlm_cli.training.audio_file import Samples, map_audio, to_float

_UNIT_ID = re.compile("[0-9]{1,18}")  # fits into int64
HOP = 640  # samples at 16 kHz per phonetic unit


@dataclass(frozen=True, eq=False)
class Recording:
    """A clip and its audio. samples: (samples,) int16 at 16 kHz; not to be written to."""

    clip: Clip
    samples: Samples

    @property
    def frames(self) -> int:
        """Number of whole 40 ms frames, one for each phonetic unit."""
        return len(self.samples) // HOP

    @property
    def waveform(self) -> Waveform:
        """The samples as float32 within ±1."""
        return Waveform(to_float(self.samples), 16000)


def load_recordings(manifest: Path, folder: Path, shortest: float = 0.5) -> list[Recording]:
    """Map the audio of a manifest's clips into memory, from a file in `folder`; see `map_audio`.

    Warns of clips of under `shortest` seconds, and leaves them out. Raises ManifestError if there are no others, and
    AudioError for a clip that can't be read.
    """
    clips = list(read_manifest(manifest))
    recordings = [Recording(*pair) for pair in zip(clips, map_audio(clips, folder), strict=True)]
    short = [recording.clip.id for recording in recordings if len(recording.samples) < shortest * 16000]
    recordings = [recording for recording in recordings if len(recording.samples) >= shortest * 16000]
    if not recordings:
        raise ManifestError(f"{manifest}: no clip of {shortest} s or more")
    if short:
        log.warning(
            "%s: left out: %s of under %g s, the first is %s",
            manifest, counted(len(short), "clip"), shortest, one_line(short[0]),
        )  # fmt: skip
    hours = sum(len(r.samples) for r in recordings) / 16000 / 3600
    notify(f"{manifest}: {counted(len(recordings), 'clip')}, {hours:.2f} hours")
    return recordings


def notify_left_out(manifest: Path, clips: int, used: int, why: str) -> None:
    """Say how many clips of a manifest are not trained on, if any. why: as in "3 of 9 clips WHY, and are left out"."""
    if used < clips:
        notify(f"{manifest}: {clips - used} of {counted(clips, 'clip')} {why}, and are left out")


def read_labels(path: Path) -> dict[str, NDArray[np.int64]]:
    """Read the phonetic units of token lines that keep repeats. Returns (frames,) int64 by clip id.

    Raises ManifestError if a line has no id, or that of another line, or if the file is cut off, TokenError for an
    invalid line.
    """
    labels: dict[str, NDArray[np.int64]] = {}
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 1))
        if stream.read() not in (b"", b"\n"):
            raise ManifestError(f"{path}: cut off: its last line has no end")
        stream.seek(0)
        for line in read_lines(bounded_lines(stream)):
            if isinstance(line, Header):
                continue
            if isinstance(line, BadLine):
                raise TokenError(f"{path}: {line.error}")
            if line.id is None:
                raise ManifestError(f"{path}: a line has no id; labels are matched to clips by id")
            if line.id in labels:
                raise ManifestError(f"{path}: has two lines of the clip {one_line(line.id)}")
            units = [
                unit.id for span in line.sequence.speech for unit in span.units if unit.kind is Kind.HUBERT
            ]
            labels[line.id] = np.array(units, dtype=np.int64)
    return labels


def check_any_labels(labels: Mapping[str, NDArray[np.int64]], manifest: Path, source: Path) -> None:
    """Raise ManifestError if no clip of a manifest has labels, before any audio is read."""
    if not any(len(labels.get(clip.id, ())) for clip in read_manifest(manifest)):
        raise ManifestError(f"{source}: no clip of {manifest} has labels; they are matched by id")


def with_labels(
    recordings: Sequence[Recording],
    labels: Mapping[str, NDArray[np.int64]],
    manifest: Path,
    source: Path | None,
) -> list[Recording]:
    """The recordings of a manifest that have labels; the others are counted on stderr.

    source: where the labels are from. Raises ManifestError if there are none.
    """
    labeled = [r for r in recordings if len(labels.get(r.clip.id, ()))]
    if not labeled:
        raise ManifestError(f"{source}: no clip of {manifest} has labels")
    notify_left_out(manifest, len(recordings), len(labeled), f"have no labels in {source}")
    return labeled


def check_label_counts(
    recordings: Sequence[Recording], labels: Mapping[str, NDArray[np.int64]], rate: int, source: Path
) -> None:
    """Raise ManifestError unless each clip has as many labels as frames at `rate` Hz.

    Convolutions without padding leave out up to a frame at the end of each window of 100 s that is encoded at a time,
    and resampling may shift the number of samples, so that this number of windows plus one may be missing, and one
    more be there. labels: (labels,) by clip id, of all recordings. source: where they are from.
    """
    wrong = []
    for recording in recordings:
        have, frames = len(labels[recording.clip.id]), len(recording.samples) * rate // SAMPLE_RATE
        windows = len(recording.samples) // WINDOW_SAMPLES + 1
        if not frames - windows - 1 <= have <= frames + 1:
            wrong.append((recording.clip.id, have, frames))
    if wrong:
        name, have, frames = wrong[0]
        count = f"; {len(wrong)} clips have another number" if len(wrong) > 1 else ""
        raise ManifestError(
            f"{source}: the clip {one_line(name)} has {have} labels, and {frames} frames at {rate} Hz{count}. "
            "Labels are one for each frame: make them by `tokenize --keep-repeats`, or by `train units` at this rate"
        )


def write_labels(path: Path, labels: Mapping[str, NDArray[np.int64]]) -> None:
    """Write labels as token lines with repeats, one line for each clip, atomically. labels: (frames,) by clip id."""
    lines = (
        f"{clip}\t[SPEECH]{''.join(f'[Hu{unit}]' for unit in units)}\n" for clip, units in labels.items()
    )
    write_text(path, "".join(lines))


def read_units(path: Path) -> dict[str, Units]:
    """Read the output of `tokenize --format jsonl`. Returns units by clip id.

    Raises ManifestError for an invalid line, and for a second one of a clip.
    """
    units_of: dict[str, Units] = {}
    for line_number, line in valid_lines(numbered_lines(path)):
        name, units = _parse_units(line, f"{path}: line {line_number}")
        _check_new(name, units_of, f"{path}: line {line_number}")
        units_of[name] = units
    return units_of


def _check_new(name: str, known: Container[str], where: str) -> None:
    if name in known:
        raise ManifestError(f"{where}: a second line of the clip {one_line(name)}")


def _parse_units(line: str, where: str) -> tuple[str, Units]:
    """Parse a line of `read_units`. Returns the clip's id and its units. Raises ManifestError, which begins `where`."""
    entry = parse_json_fields(line, where)
    try:
        hubert, pitch, style = (_unit_ids(entry.get(key)) for key in ("hubert", "pitch", "style"))
        if hubert is None:
            raise ValueError("no hubert")
        return str(entry["id"]), Units(hubert, pitch, style)
    except (ValueError, KeyError) as error:
        raise ManifestError(f"{where}: not a line of units ({error})") from error


class UnitsFile:
    """The units of `read_units` by clip id, read from the file when they are asked for. Ids without units are left out.

    Keeps about 150 bytes of memory for each clip.
    """

    def __init__(self, path: Path) -> None:
        """Raises ManifestError for an invalid line, for a second one of a clip, and for a gzipped file."""
        if path.suffix.lower() == ".gz":
            raise ManifestError(
                f"{path}: is gzipped, and its lines are read in any order; decompress it first"
            )
        self._path, self._offsets = path, dict[str, int]()
        offset = 0
        with read_errors(str(path)):
            self._file = path.open("rb")
            for number, line in enumerate(bounded_lines(self._file), 1):
                name, units = _parse_units(_decoded(line), f"{path}: line {number}")
                _check_new(name, self._offsets, f"{path}: line {number}")
                if len(units.hubert):
                    self._offsets[name] = offset
                offset += len(line)

    def __enter__(self) -> "UnitsFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __contains__(self, clip_id: str) -> bool:
        return clip_id in self._offsets

    def __getitem__(self, clip_id: str) -> Units:
        """Read the units of a clip. Raises KeyError for an unknown id."""
        self._file.seek(self._offsets[clip_id])
        return _parse_units(_decoded(self._file.readline()), f"{self._path}: {clip_id}")[1]


def _decoded(line: bytes) -> str:
    # a byte that is not UTF-8 is no JSON either
    return line.decode("utf-8-sig", errors="surrogateescape")


def _unit_ids(text: object) -> NDArray[np.int64] | None:
    """Return unit ids from their text form, such as "28 11 3"; None for None. Raises ValueError."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"{text!a} is not text")
    if not all(_UNIT_ID.fullmatch(word) for word in text.split()):
        raise ValueError(f"{text[:40]!a} is not a list of unit ids")
    return np.array(text.split(), dtype=np.int64)


def cluster(
    points: NDArray[np.float32],
    count: int,
    seed: int,
    iterations: int = 40,
    runs: int = 2,
    what: str = "frame",
) -> Any:
    """Train faiss's k-means and return it. points: (n, dim). runs: number of runs, of which the best is kept.

    what: a point, for messages.

    Raises SpiritLMError if there are fewer points than clusters.
    """
    import faiss

    if len(points) < count:
        raise SpiritLMError(
            f"{counted(len(points), what)} can't make {count} clusters: give more audio, or ask for fewer"
        )
    kmeans = faiss.Kmeans(
        points.shape[1],
        count,
        niter=iterations,
        nredo=runs,
        seed=seed,
        max_points_per_centroid=1000,
        min_points_per_centroid=1,  # with fewer than so many for each center, faiss writes a warning to stderr
    )
    kmeans.train(np.ascontiguousarray(points))
    return kmeans
