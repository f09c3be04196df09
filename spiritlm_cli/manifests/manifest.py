"""Read manifests: TSV, JSONL and Kaldi's wav.scp, also gzipped."""

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
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.kaldi import SegmentParser, find_segments, parse_wav_scp_line
from spiritlm_cli.manifests.row import NOT_IN_ID, Fields, clip_from_fields, parse_json_fields
from spiritlm_cli.streams import standard_input

# Lines with their line numbers.
Lines = Iterable[tuple[int, str]]
# Parses a line into fields; the second argument is its file and line number, for errors.
ParseFields = Callable[[str, str], Fields]
MakeClip = Callable[[Fields, str], Clip]


@dataclass(frozen=True)
class _Rows:
    """The rows of a manifest, and how to parse them. name: of the file that holds the rows."""

    name: str
    lines: Lines
    parse: ParseFields
    make_clip: MakeClip


def read_manifest(path: Path | str) -> Iterator[Clip]:
    """Yield the clips of a manifest; see `scan_manifest` for the formats.

    Raises ManifestError, with file and line, at the first invalid row.
    """
    for clip in scan_manifest(path):
        if isinstance(clip, BadClip):
            raise clip.error
        yield clip


def scan_manifest(path: Path | str) -> Iterator[Clip | BadClip]:
    """Yield the clips of a manifest in order, with a BadClip for each invalid row.

    Formats: `.jsonl` has one object per line; `.tsv` has a header line; `.scp` has Kaldi's `id path`. If there is a
    segments file beside a wav.scp, its lines `id recording start end` are the clips. A file with another suffix is
    JSONL if it begins with a brace, and TSV otherwise. Each may be gzipped (`.gz`). "-" is standard input.
    Fields: audio (required; path relative to the manifest), id (default: audio without its suffix), start and end (in
    seconds), text, speaker, and words: a list of {"word", "start", "end"}, in seconds from the start of the clip, with
    "confidence" if known; in TSV as JSON. Other fields are ignored.
    A row is invalid if one of its fields is, or if its id is a duplicate. Its error names file and line.
    Raises ManifestError if the file can't be read, or if its header has no column audio.
    """
    path = Path(path)
    rows = _open_rows(path)
    seen: set[str] = set()
    for line_number, text in rows.lines:
        where = f"{rows.name}: line {line_number}"
        fields: Fields = {}
        try:
            fields = rows.parse(text, where)
            clip = rows.make_clip(fields, where)
            if clip.id in seen:
                raise ManifestError(f"{where}: duplicate id {clip.id!r}; each clip needs its own")
        except ManifestError as error:
            row_id = fields.get("id")
            is_valid = isinstance(row_id, str) and row_id and not NOT_IN_ID.search(row_id)
            yield BadClip(str(row_id) if is_valid else str(line_number), path, error)
        else:
            seen.add(clip.id)
            yield clip


def count_clips(path: Path | str) -> int:
    """Return the number of rows of a manifest, valid or not, without parsing them.

    Raises ManifestError if the file can't be read, has no column audio, or can be read only once, like standard input.
    """
    path = Path(path)
    if str(path) == "-" or (path.exists() and not path.is_file() and not path.is_dir()):
        raise ManifestError(f"{_name(path)}: can be read only once, so not be counted first; give a file")
    return sum(1 for _ in _open_rows(path).lines)


def _open_rows(path: Path) -> _Rows:
    segments = find_segments(path)
    name = _name(path)
    if segments:
        parser = SegmentParser(_read_lines(path), name, path.parent)
        return _Rows(str(segments), _read_lines(segments), parser.parse, parser.clip)
    lines, parse = _detect_format(path)
    return _Rows(name, lines, parse, partial(clip_from_fields, path.parent))


def _name(path: Path) -> str:
    return "stdin" if str(path) == "-" else str(path)


def _read_lines(path: Path) -> Lines:
    """Yield the lines that are not blank, without line ends. Raises ManifestError."""
    name = _name(path)
    line_number = 0
    try:
        with _open(path) as stream:
            for line_number, raw in enumerate(stream, 1):
                text = raw.decode("utf-8-sig" if line_number == 1 else "utf-8").rstrip("\r\n")
                if text.strip():
                    yield line_number, text
    except UnicodeDecodeError:
        raise ManifestError(f"{name}: line {line_number}: not UTF-8 text") from None
    except FileNotFoundError:
        raise ManifestError(f"{name}: no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ManifestError(f"{name}: line {line_number + 1}: gzip data is cut off or damaged") from None
    except OSError as error:
        raise ManifestError(f"{name}: can't be read ({error.strerror or error})") from None


def _open(path: Path) -> "nullcontext[BinaryIO] | gzip.GzipFile | BinaryIO":
    if str(path) == "-":
        return nullcontext(standard_input())
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _detect_format(path: Path) -> tuple[Lines, ParseFields]:
    """Return the lines that are rows, and the parser for them. Raises ManifestError for a header without audio."""
    name = _name(path)
    suffix = PurePath(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
    lines = iter(_read_lines(path))
    first = next(lines, None)
    rows = chain([first], lines) if first else ()
    if suffix == ".scp":
        return rows, parse_wav_scp_line
    if suffix in (".jsonl", ".ndjson") or (suffix != ".tsv" and first and first[1].startswith("{")):
        return rows, parse_json_fields
    if not first:
        raise ManifestError(f"{name}: empty; its first line should name the columns")
    columns = first[1].split("\t")
    if "audio" not in columns:
        given = ", ".join(columns)[:100]
        raise ManifestError(f"{name}: line 1: no column is named audio, only: {given}")
    return lines, partial(_parse_tsv_row, columns)


def _parse_tsv_row(columns: list[str], text: str, where: str) -> Fields:
    """Parse a row of a TSV file with these columns; empty cells are left out. Raises ManifestError."""
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
