"""Which clips there are: in manifests (TSV, JSONL, Kaldi's; gzipped too), in files and folders."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path, PurePath
from typing import BinaryIO

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.files import standard_input
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.kaldi import Segments, recording_row, segments_beside
from spiritlm_cli.manifests.row import NOT_IN_ID, Fields, clip_from_fields, parse_json_fields

Lines = Iterable[tuple[int, str]]
# From a line, and where it stands, to its fields.
Parse = Callable[[str, str], Fields]


@dataclass(frozen=True)
class _Rows:
    """The lines of a manifest that are clips, of the file of that name, and how they are read."""

    name: str
    lines: Lines
    parse: Parse
    clip: Callable[[Fields, str], Clip]


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

    `.jsonl` has an object a line, `.tsv` has a header line, `.scp` is Kaldi's `id path`; where a file segments
    lies beside a wav.scp, its `id recording start end` are the clips. Other names are read as JSONL where they
    begin with a brace, else as TSV. Each may be gzipped (`.gz`); "-" is standard input.
    Fields: audio (needed; its path as seen from the manifest), id (by default audio without its suffix),
    start and end (seconds), text, speaker, words ([{"word", "start", "end"}], in TSV as JSON, in seconds from
    the clip's start); others are passed over.
    A row in which that is not so, or with an id that came before, is a BadClip; its error names file and line.
    Raises ManifestError where the file can't be read, or names no column audio.
    """
    path = Path(path)
    rows = _rows(path)
    seen: set[str] = set()
    for number, text in rows.lines:
        where = f"{rows.name}: line {number}"
        fields: Fields = {}
        try:
            fields = rows.parse(text, where)
            clip = rows.clip(fields, where)
            if clip.id in seen:
                raise ManifestError(f"{where}: id {clip.id!r} was there before; each clip needs its own")
        except ManifestError as error:
            own = fields.get("id")
            usable = isinstance(own, str) and own and not NOT_IN_ID.search(own)
            yield BadClip(str(own) if usable else str(number), path, error)
        else:
            seen.add(clip.id)
            yield clip


def count_clips(path: Path | str) -> int:
    """How many clips and rows that can't be used `scan_manifest` gives for a manifest. Rows are not parsed.

    Raises ManifestError where the file can't be read, names no column audio, or can be read only once, as
    standard input.
    """
    path = Path(path)
    if str(path) == "-" or (path.exists() and not path.is_file() and not path.is_dir()):
        raise ManifestError(f"{_name(path)}: can be read only once, so not be counted first; give a file")
    return sum(1 for _ in _rows(path).lines)


def _rows(path: Path) -> _Rows:
    segments = segments_beside(path)
    name = _name(path)
    if segments:
        known = Segments(_lines(path), name, path.parent)
        return _Rows(str(segments), _lines(segments), known.row, known.clip)
    lines, parse = _format(path)
    return _Rows(name, lines, parse, partial(clip_from_fields, path.parent))


def _name(path: Path) -> str:
    return "stdin" if str(path) == "-" else str(path)


def _lines(path: Path) -> Lines:
    """Numbered lines without their ends, blank ones left out."""
    name = _name(path)
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
        return nullcontext(standard_input())
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _format(path: Path) -> tuple[Lines, Parse]:
    """The lines that are rows, and how they are read."""
    name = _name(path)
    suffix = PurePath(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
    lines = iter(_lines(path))
    first = next(lines, None)
    rows = chain([first], lines) if first else ()
    if suffix == ".scp":
        return rows, recording_row
    if suffix in (".jsonl", ".ndjson") or (suffix != ".tsv" and first and first[1].startswith("{")):
        return rows, parse_json_fields
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
