"""Find the clips in files, folders and lists of paths."""

import codecs
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from spiritlm_cli.errors import AudioError, ManifestError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.manifests.row import AUDIO_SUFFIXES, default_id
from spiritlm_cli.text_files import bounded_lines, is_too_long, too_long_message


def find_clips(paths: Iterable[str]) -> Iterator[Clip]:
    """Yield a clip for each file, for each audio file in and below each folder, and for "-" (standard input).

    Audio files in folders are chosen by suffix and sorted; names that begin with a dot are skipped. A file that is
    named itself is given whatever its suffix, and also if it is missing: the reader reports that.
    The id of a clip is the path without the audio suffix; for files of a folder, relative to that folder; "stdin" for
    standard input.
    Raises AudioError for a folder without audio files, and if two files have the same id.
    """
    sources: dict[str, Path | str] = {}
    for path in paths:
        for clip in _clips_at(path):
            if clip.id in sources:
                raise AudioError(
                    f"{clip.source}: would have the id of {sources[clip.id]}, {clip.id!r}; "
                    "give a manifest with an id for each"
                )
            sources[clip.id] = clip.source
            yield clip


def read_paths(stream: BinaryIO, nul: bool = False) -> Iterator[str]:
    """Yield the paths in a list, as soon as each is complete; empty ones are skipped.

    nul: paths end in NUL, as those of `find -print0`; otherwise each is a line. Paths need not be UTF-8.
    Raises ManifestError for a list without paths, NUL in a line, a path of more than `MAX_LINE` bytes, and what reading
    `stream` raises.
    """
    path = None
    for raw in _split_at_nul(stream) if nul else _split_at_line_end(stream):
        if is_too_long(raw):
            raise ManifestError(f"a path in the list of paths is {too_long_message()}")
        if raw.strip():
            path = os.fsdecode(raw)
            yield path
    if path is None:
        raise ManifestError("the list of paths is empty")


def _clips_at(path: str) -> Iterator[Clip]:
    """Yield the clips of one argument: a file, a folder or "-"."""
    if path == "-":
        yield Clip("stdin", "-")
    elif Path(path).is_dir():
        file = None
        for file in _audio_files(path):
            yield Clip(default_id(file.relative_to(path)), file)
        if file is None:
            raise AudioError(f"{path}: no sound files in this folder ({', '.join(sorted(AUDIO_SUFFIXES))})")
    else:
        yield Clip(default_id(PurePath(path)), Path(path))


def _audio_files(folder: str) -> Iterator[Path]:
    """Yield the audio files in and below a folder, each folder's own before those of its subfolders."""
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            file = Path(parent, name)
            if file.suffix.lower() in AUDIO_SUFFIXES and not name.startswith("."):
                yield file


def _split_at_line_end(stream: BinaryIO) -> Iterator[bytes]:
    for line_number, line in enumerate(bounded_lines(stream, cr=True), 1):
        if b"\0" in line:
            raise ManifestError(
                f"line {line_number} of the list of paths contains NUL; if NUL ends each path, use -0"
            )
        path = line.rstrip(b"\r\n")
        yield path.removeprefix(codecs.BOM_UTF8) if line_number == 1 else path


def _split_at_nul(stream: BinaryIO) -> Iterator[bytes]:
    # `read` of a buffered pipe waits until it has all the bytes it was asked for; `read1` does not.
    read = getattr(stream, "read1", stream.read)
    rest = bytearray()
    while content := read(1 << 16):
        *ends, start = content.split(b"\0")
        for end in ends:
            yield bytes(rest + end)
            rest.clear()
        rest += start
        if is_too_long(rest):
            break
    yield bytes(rest)
