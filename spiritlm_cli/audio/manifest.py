"""Which clips there are: in manifests (TSV, JSONL, Kaldi's wav.scp; gzipped too), in files and folders."""

import gzip
import json
import math
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from itertools import chain
from pathlib import Path, PurePath
from typing import BinaryIO

from spiritlm_cli.audio.clip import Alignment, BadClip, Clip, Word
from spiritlm_cli.errors import AudioError, ManifestError

# fmt: off
SUFFIXES = frozenset((
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga",
    ".ogg", ".opus", ".rf64", ".snd", ".sph", ".w64", ".wav", ".wave",
))
# fmt: on
_NOT_IN_ID = re.compile(r"[\0\t\n\r\ud800-\udfff]")
_NOT_IN_TEXT = re.compile(r"[\0\ud800-\udfff]")

Lines = Iterable[tuple[int, str]]
Fields = Mapping[str, object]
# From a line, and where it stands, to its fields.
Parse = Callable[[str, str], Fields]


def read_manifest(path: Path | str) -> Iterator[Clip]:
    """The clips of a manifest, one after another; see `scan_manifest` for what one is.

    Raises ManifestError, with file and line, at the first row that can't be used.
    """
    for clip in scan_manifest(path):
        if isinstance(clip, BadClip):
            raise clip.error
        yield clip


def scan_manifest(path: Path | str) -> Iterator[Clip | BadClip]:
    """The clips of a manifest, one after another, and the rows that can't be used.

    `.jsonl` has an object a line, `.scp` is Kaldi's `id path`, `.tsv` has a header line. Other names are read
    as JSONL where they begin with a brace, else as TSV. Each may be gzipped (`.gz`); "-" is standard input.
    Fields: audio (needed; its path as seen from the manifest), id (by default audio without its suffix),
    start and end (seconds), text, speaker, words ([{"word", "start", "end"}], in TSV as JSON, in seconds from
    the clip's start); others are passed over.
    A row in which that is not so, or with an id that came before, is a BadClip; its error names file and line.
    Raises ManifestError where the file can't be read, or names no column audio.
    """
    path = Path(path)
    suffix = PurePath(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
    name = "stdin" if str(path) == "-" else str(path)
    seen: set[str] = set()
    lines, parse = _format(_lines(path, name), suffix, name)
    for number, text in lines:
        where = f"{name}: line {number}"
        fields: Fields = {}
        try:
            fields = parse(text, where)
            clip = _clip(fields, path.parent, where)
            if clip.id in seen:
                raise ManifestError(f"{where}: id {clip.id!r} was there before; each clip needs its own")
        except ManifestError as error:
            own = fields.get("id")
            usable = isinstance(own, str) and own and not _NOT_IN_ID.search(own)
            yield BadClip(str(own) if usable else str(number), path, error)
        else:
            seen.add(clip.id)
            yield clip


def find_clips(paths: Iterable[str]) -> Iterator[Clip]:
    """A clip for each file, for each sound file in and below each folder (by suffix, sorted), and for "-".

    Ids are paths without suffix: as given, and for a folder's files as seen from it; that of "-", standard
    input, is "stdin".
    Files that aren't there are given too: reading them says so. Names that begin with a dot are passed over.
    Raises AudioError for a folder without sound files, and for two files that would have one id.
    """
    seen: dict[str, Path | str] = {}
    for path in paths:
        for clip in _found(path):
            if clip.id in seen:
                raise AudioError(
                    f"{clip.source}: would have the id of {seen[clip.id]}, {clip.id!r}; "
                    "give a manifest with an id for each"
                )
            seen[clip.id] = clip.source
            yield clip


def _found(path: str) -> Iterator[Clip]:
    if path == "-":
        yield Clip("stdin", "-")
    elif Path(path).is_dir():
        empty = True
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                file = Path(folder, name)
                if file.suffix.lower() in SUFFIXES and not name.startswith("."):
                    empty = False
                    yield Clip(_default_id(file.relative_to(path)), file)
        if empty:
            raise AudioError(f"{path}: no sound files in this folder ({', '.join(sorted(SUFFIXES))})")
    else:
        yield Clip(_default_id(PurePath(path)), Path(path))


def _default_id(path: PurePath) -> str:
    if path.suffix.lower() in SUFFIXES:
        path = path.with_suffix("")
    return _NOT_IN_ID.sub("\N{REPLACEMENT CHARACTER}", path.as_posix())


def _lines(path: Path, name: str) -> Lines:
    """Numbered lines without their ends, blank ones left out."""
    number = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(stream, 1):
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                if text.strip():
                    yield number, text
    except UnicodeDecodeError:
        raise ManifestError(f"{name}: line {number}: not UTF-8 text") from None
    except FileNotFoundError:
        raise ManifestError(f"{name}: no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ManifestError(f"{name}: line {number + 1}: gzip data is cut off or damaged") from None
    except OSError as error:
        raise ManifestError(f"{name}: can't be read ({error.strerror or error})") from None


def _open(path: Path) -> "nullcontext[BinaryIO] | gzip.GzipFile | BinaryIO":
    if str(path) == "-":
        return nullcontext(sys.stdin.buffer)
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _format(lines: Lines, suffix: str, name: str) -> tuple[Lines, Parse]:
    """The lines that are rows, and how they are read."""
    lines = iter(lines)
    first = next(lines, None)
    rows = chain([first], lines) if first else ()
    if suffix == ".scp":
        return rows, _kaldi_row
    if suffix in (".jsonl", ".ndjson") or (suffix != ".tsv" and first and first[1].startswith("{")):
        return rows, _json_row
    if not first:
        raise ManifestError(f"{name}: empty; its first line should name the columns")
    columns = first[1].split("\t")
    if "audio" not in columns:
        found = ", ".join(columns)[:100]
        raise ManifestError(f"{name}: line 1: no column is named audio, only: {found}")
    return lines, partial(_table_row, columns)


def _table_row(columns: list[str], text: str, where: str) -> Fields:
    cells = text.split("\t")
    if len(cells) != len(columns):
        raise ManifestError(f"{where}: {len(cells)} columns, but line 1 names {len(columns)}")
    fields: dict[str, object] = {column: cell for column, cell in zip(columns, cells, strict=True) if cell}
    if words := fields.get("words"):
        try:
            fields["words"] = json.loads(str(words))
        except (ValueError, RecursionError):
            raise ManifestError(f"{where}: words is not JSON") from None
    return fields


def _json_row(text: str, where: str) -> Fields:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not JSON ({error})") from None
    if not isinstance(fields, dict):
        raise ManifestError(f"{where}: not a JSON object")
    return fields


def _kaldi_row(text: str, where: str) -> Fields:
    clip_id, *rest = text.split(maxsplit=1)
    if not rest:
        raise ManifestError(f"{where}: not 'id path'")
    audio = rest[0].strip()
    if audio.endswith("|") or audio.startswith("|"):
        raise ManifestError(f"{where}: a command, which is not run; give the file it would make")
    return {"id": clip_id, "audio": audio}


def _clip(fields: Fields, folder: Path, where: str) -> Clip:
    audio = _text(fields, "audio", where)
    if not audio or "\0" in audio:
        raise ManifestError(f"{where}: audio is not a path: {audio!a}")
    clip_id = _text(fields, "id", where)
    if clip_id is not None and (not clip_id or _NOT_IN_ID.search(clip_id)):
        raise ManifestError(f"{where}: id can't be empty or hold a tab, a line end or NUL: {clip_id!a}")
    start, end = _seconds(fields, "start", where), _seconds(fields, "end", where)
    if end is not None and end <= (start or 0.0):
        raise ManifestError(f"{where}: end ({end:g}) is not after start ({start or 0.0:g})")
    return Clip(
        id=_default_id(PurePath(audio)) if clip_id is None else clip_id,
        source=folder / audio,
        start=start,
        end=end,
        text=_said(fields, "text", where),
        speaker=_text(fields, "speaker", where),
        alignment=_alignment(fields.get("words"), where),
    )


def _text(fields: Fields, name: str, where: str) -> str | None:
    """A field as text; a whole number is taken as its digits, as ids and speakers often are numbers."""
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or isinstance(value, str):
        return value
    raise ManifestError(f"{where}: {name} is not text")


def _said(fields: Fields, name: str, where: str) -> str | None:
    """A field as text that a token line can hold."""
    text = _text(fields, name, where)
    if text and _NOT_IN_TEXT.search(text):
        raise ManifestError(f"{where}: {name} holds NUL or half a surrogate pair")
    return text


def _seconds(fields: Fields, name: str, where: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ManifestError(f"{where}: {name} is not a number of seconds: {str(value)[:40]!a}")
    return seconds


def _alignment(value: object, where: str) -> Alignment | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ManifestError(f"{where}: words is not a list")
    words: list[Word] = []
    for place, item in enumerate(value, 1):
        here = f"{where}: word {place}"
        if not isinstance(item, dict):
            raise ManifestError(f'{here} is not {{"word", "start", "end"}}')
        word, start, end = (
            _said(item, "word", here),
            _seconds(item, "start", here),
            _seconds(item, "end", here),
        )
        if word is None or start is None or end is None:
            raise ManifestError(f'{here} lacks one of "word", "start", "end"')
        if end < start:
            raise ManifestError(f"{here}: ends ({end:g}) before it starts ({start:g})")
        words.append(Word(word, start, end))
    return Alignment(tuple(words))
