"""Alignment files: words and their times, as aligners, recognizers and this package write them. No torch here."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath
from types import TracebackType

from spiritlm_cli.alignment.formats.ctm import read_ctm, recording_of
from spiritlm_cli.alignment.formats.index import LineIndex
from spiritlm_cli.alignment.formats.jsonl import id_of_row, read_row
from spiritlm_cli.alignment.formats.textgrid import read_textgrid
from spiritlm_cli.alignment.formats.whisper import read_whisper
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.files import read_bytes
from spiritlm_cli.manifests.clip import Alignment, Transcript
from spiritlm_cli.manifests.filenames import filename_for

__all__ = ["AlignmentFiles", "Transcript"]

# In the order in which a folder is asked for them.
_SUFFIXES = (".TextGrid", ".textgrid", ".json", ".ctm")

Find = Callable[[str], Transcript | None]


class AlignmentFiles:
    """The words of clips, found by their ids in any order: in a folder, in a file of many clips, or of one.

    A folder has a file for each clip: its id, and .TextGrid, .json (of Whisper, WhisperX) or .ctm (of one recording).
    An id with slashes is a file in a folder in it, or has them encoded, as `align` writes it.
    Of many clips are .ctm and .jsonl (a manifest whose rows have words); both may be gzipped. Of one clip, whatever
    its id, are .TextGrid and .json.
    """

    def __init__(self, path: Path, find: Find, blocks: LineIndex | None = None) -> None:
        self.path = path
        self._find = find
        self._blocks = blocks

    @classmethod
    def open(cls, path: Path | str) -> "AlignmentFiles":
        """Raises ManifestError where there is nothing, or nothing of these kinds."""
        path = Path(path)
        if path.is_dir():
            return cls(path, partial(_in_folder, path))
        if not path.is_file():
            raise ManifestError(f"{path}: no such file or folder")
        suffix = PurePath(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
        if suffix == ".ctm":
            blocks = LineIndex(path, lambda text, _: recording_of(text))
            return cls(path, partial(_in_ctm, blocks, str(path)), blocks)
        if suffix in (".jsonl", ".ndjson"):
            blocks = LineIndex(path, id_of_row)
            return cls(path, partial(_in_manifest, blocks, str(path)), blocks)
        if path.suffix.lower() in (".textgrid", ".json"):
            return cls(path, _OneClip(path).find)
        raise ManifestError(
            f"{path}: not an alignment file by its name (.ctm, .jsonl, .TextGrid, .json), and not a folder of them"
        )

    def find(self, clip_id: str) -> Transcript | None:
        """What is known of a clip; None where nothing is.

        Raises ManifestError, with file and line, where what is there can't be used.
        """
        return self._find(clip_id)

    def close(self) -> None:
        if self._blocks:
            self._blocks.close()

    def __enter__(self) -> "AlignmentFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _OneClip:
    """A file of one clip: of the first that is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clip_id: str | None = None

    def find(self, clip_id: str) -> Transcript:
        if self._clip_id not in (None, clip_id):
            raise ManifestError(
                f"{self._path}: holds one clip, which was {self._clip_id!r}, so not {clip_id!r} too; "
                "for several give a folder with a file for each"
            )
        self._clip_id = clip_id
        return _read(self._path)


def _in_folder(folder: Path, clip_id: str) -> Transcript | None:
    outside = clip_id.startswith("/") or ".." in clip_id.split("/")
    names = dict.fromkeys([filename_for(clip_id), *([] if outside else [clip_id])])
    for name in names:
        for suffix in _SUFFIXES:
            path = folder / f"{name}{suffix}"
            # unlike the path's own method it has no errors, such as for a name too long
            if os.path.isfile(path):  # noqa: PTH113
                return _read(path)
    if outside:
        raise ManifestError(f"{folder}: {clip_id!r} leads out of the folder; give the clip another id")
    return None


def _in_ctm(blocks: LineIndex, name: str, clip_id: str) -> Transcript | None:
    lines = blocks.find(clip_id)
    return Transcript(None, next(read_ctm(lines, name))[1]) if lines else None


def _in_manifest(blocks: LineIndex, name: str, clip_id: str) -> Transcript | None:
    lines = blocks.find(clip_id)
    return read_row(lines, name) if lines else None


def _read(path: Path) -> Transcript:
    suffix = path.suffix.lower()
    if suffix == ".textgrid":
        return Transcript(None, read_textgrid(path))
    return read_whisper(path) if suffix == ".json" else Transcript(None, _only_recording(path))


def _only_recording(path: Path) -> Alignment:
    try:
        lines = read_bytes(path).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: not UTF-8 text") from None
    found = list(read_ctm(enumerate(lines, 1), str(path)))
    if len(found) > 1:
        names = ", ".join(recording for recording, _ in found[:3])
        raise ManifestError(
            f"{path}: holds several recordings ({names}); give the file itself, not its folder"
        )
    return found[0][1] if found else Alignment(())
