"""Alignment files, looked up by clip id. No torch."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath
from types import TracebackType

from spiritlm_cli.alignment.formats.ctm import read_ctm, recording_of
from spiritlm_cli.alignment.formats.index import LineIndex
from spiritlm_cli.alignment.formats.jsonl import id_of_row, read_row
from spiritlm_cli.alignment.formats.textgrid import TierName, read_textgrid
from spiritlm_cli.alignment.formats.whisper import read_whisper
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Transcript
from spiritlm_cli.manifests.filenames import filename_for
from spiritlm_cli.text_files import numbered_lines, valid_lines

__all__ = ["AlignmentFiles", "Transcript"]

# The suffixes of a clip's file in a folder; the first that exists is read.
_SUFFIXES = (".TextGrid", ".textgrid", ".json", ".ctm")

Find = Callable[[str], Transcript | None]


class AlignmentFiles:
    """Looks up the words of clips by id, in any order: in a folder, in a file of many clips, or in a file of one.

    - A folder has one file for each clip, named ID.TextGrid, ID.json (of Whisper or WhisperX) or ID.ctm (of one
      recording). If an id has slashes, its file is in a subfolder, or its name is percent-encoded as by `align`.
    - .ctm and .jsonl (a manifest whose rows have words) are files of many clips; both may be gzipped.
    - .TextGrid and .json are files of one clip, of any id.
    """

    def __init__(self, path: Path, find: Find, index: LineIndex | None = None) -> None:
        """Use `AlignmentFiles.open` instead. find: the lookup; index: closed with this object."""
        self.path = path
        self._find = find
        self._index = index

    @classmethod
    def open(cls, path: Path | str, keep_labels: bool = False, tier: TierName = "words") -> "AlignmentFiles":
        """Open a folder or file. Raises ManifestError if it does not exist or is of another kind.

        keep_labels: keep labels of noise and unknown words, as words. tier: of TextGrids.
        """
        path = Path(path)
        if path.is_dir():
            return cls(path, partial(_find_in_folder, path, keep_labels, tier))
        if not path.is_file():
            raise ManifestError(f"{path}: no such file or folder")
        suffix = PurePath(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
        if suffix == ".ctm":
            index = LineIndex(path, lambda text, _: recording_of(text))
            return cls(path, partial(_find_in_ctm, index, str(path), keep_labels), index)
        if suffix in (".jsonl", ".ndjson"):
            index = LineIndex(path, id_of_row)
            return cls(path, partial(_find_in_manifest, index, str(path), keep_labels), index)
        if path.suffix.lower() in (".textgrid", ".json"):
            return cls(path, _SingleClipFile(path, keep_labels, tier).find)
        raise ManifestError(
            f"{path}: not the name of an alignment file (.ctm, .jsonl, .TextGrid, .json), and not a folder of them"
        )

    def find(self, clip_id: str) -> Transcript | None:
        """The text and words of a clip, or None if there are none.

        Raises ManifestError, with file and line, if they are invalid.
        """
        return self._find(clip_id)

    def close(self) -> None:
        """Close the file."""
        if self._index:
            self._index.close()

    def __enter__(self) -> "AlignmentFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _SingleClipFile:
    """A file with the words of one clip. The first id that is looked up becomes its id."""

    def __init__(self, path: Path, keep_labels: bool, tier: TierName) -> None:
        self._path, self._keep_labels, self._tier = path, keep_labels, tier
        self._clip_id: str | None = None

    def find(self, clip_id: str) -> Transcript:
        if self._clip_id not in (None, clip_id):
            raise ManifestError(
                f"{self._path}: contains one clip, already used for {self._clip_id!r}, so not for {clip_id!r}; "
                "for several clips give a folder with a file for each"
            )
        self._clip_id = clip_id
        return _read_file(self._path, self._keep_labels, self._tier)


def _find_in_folder(folder: Path, keep_labels: bool, tier: TierName, clip_id: str) -> Transcript | None:
    outside = clip_id.startswith("/") or ".." in clip_id.split("/")
    names = dict.fromkeys([filename_for(clip_id), *([] if outside else [clip_id])])
    for name in names:
        for suffix in _SUFFIXES:
            path = folder / f"{name}{suffix}"
            # Unlike Path.is_file, it returns False for a name that is too long.
            if os.path.isfile(path):  # noqa: PTH113
                return _read_file(path, keep_labels, tier)
    if outside:
        raise ManifestError(f"{folder}: the id {clip_id!r} leads out of the folder; give the clip another id")
    return None


def _find_in_ctm(index: LineIndex, name: str, keep_labels: bool, clip_id: str) -> Transcript | None:
    lines = index.find(clip_id)
    return Transcript(None, next(read_ctm(lines, name, keep_labels))[1]) if lines else None


def _find_in_manifest(index: LineIndex, name: str, keep_labels: bool, clip_id: str) -> Transcript | None:
    lines = index.find(clip_id)
    return read_row(lines, name, keep_labels) if lines else None


def _read_file(path: Path, keep_labels: bool, tier: TierName) -> Transcript:
    suffix = path.suffix.lower()
    if suffix == ".textgrid":
        return Transcript(None, read_textgrid(path, keep_labels, tier))
    if suffix == ".json":
        return read_whisper(path, keep_labels)
    return Transcript(None, _read_single_recording(path, keep_labels))


def _read_single_recording(path: Path, keep_labels: bool) -> Alignment:
    recordings = list(read_ctm(valid_lines(numbered_lines(path)), str(path), keep_labels))
    if len(recordings) > 1:
        names = ", ".join(name for name, _ in recordings[:3])
        raise ManifestError(
            f"{path}: contains several recordings ({names}); give the file itself, not its folder"
        )
    return recordings[0][1] if recordings else Alignment(())
