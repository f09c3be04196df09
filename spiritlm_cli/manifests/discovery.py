"""Find the clips in files, folders and lists of paths."""

import codecs
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.row import AUDIO_SUFFIXES, default_id
from spiritlm_cli.text_files import bounded_lines, is_too_long, too_long_message


def find_clips(paths: Iterable[str]) -> Iterator[Clip | BadClip]:
    """Yield a clip for each file, for each audio file in and below each folder, and for "-" (standard input).

    Audio files in folders are chosen by suffix and sorted; names that begin with a dot are skipped. A file that is
    named itself is given whatever its suffix, and also if it is missing: the reader reports that.
    The id of a clip is its path without the audio suffix: relative to the folder that is named, or else to the working
    folder; "stdin" for standard input. Files outside of the working folder are relative to the deepest folder that
    contains all of them, so that at the first one the rest of `paths` is read.
    Yields a BadClip for a file with the id of another one, and for a folder without audio files.
    """
    sources: dict[str, Path | str] = {}
    for clip in _clips_of(iter(paths)):
        if clip.id in sources and isinstance(clip, Clip):
            error = ManifestError(
                f"{clip.source}: would have the id of {sources[clip.id]}, {clip.id!r}; "
                "give a manifest with an id for each"
            )
            yield BadClip(clip.id, clip.source, error)
        else:
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


def _clips_of(paths: Iterator[str]) -> Iterator[Clip | BadClip]:
    working = _absolute(".")
    common: PurePath | None = None

    def is_outside(path: str) -> bool:
        return path != "-" and not _absolute(path).is_relative_to(working) and not Path(path).is_dir()

    while (path := next(paths, None)) is not None:
        outside = is_outside(path)
        if outside and common is None:
            rest = list(paths)
            files = [path, *filter(is_outside, rest)]
            common = PurePath(os.path.commonpath([_absolute(file).parent for file in files]))
            paths = iter(rest)
        if path == "-":
            yield Clip("stdin", "-")
        elif Path(path).is_dir():
            yield from _clips_in(path)
        else:
            base = common if outside and common else working
            yield Clip(default_id(_absolute(path).relative_to(base)), Path(path))


def _clips_in(folder: str) -> Iterator[Clip | BadClip]:
    file = None
    for file in _audio_files(folder):
        yield Clip(default_id(file.relative_to(folder)), file)
    if file is None:
        message = f"{folder}: no sound files in this folder ({', '.join(sorted(AUDIO_SUFFIXES))})"
        yield BadClip(default_id(PurePath(folder)), folder, ManifestError(message))


def _absolute(path: str) -> PurePath:
    """The absolute path without `.` and `..`; links are not followed."""
    return PurePath(os.path.normpath(Path(path).absolute()))


def _audio_files(folder: str) -> Iterator[Path]:
    """Yield the audio files in and below a folder, each folder's own before those of its subfolders.

    Named pipes and devices are no files, whatever they are called. A link to nothing is given: the reader reports it.
    """
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            file = Path(parent, name)
            is_audio = file.suffix.lower() in AUDIO_SUFFIXES and not name.startswith(".")
            if is_audio and (file.is_file() or not file.exists()):
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
