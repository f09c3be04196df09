"""Read manifests: TSV, CSV, JSONL and Kaldi's wav.scp, also gzipped."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.kaldi import SegmentParser, find_segments, parse_wav_scp_line
from spiritlm_cli.manifests.lhotse import Fields
from spiritlm_cli.manifests.row import AUDIO_FIELDS, clip_from_fields, parse_json_fields, readable_id
from spiritlm_cli.manifests.tables import Table, read_table
from spiritlm_cli.manifests.times import check_time_names
from spiritlm_cli.text_files import NumberedLine, numbered_lines

# An unparsed row, which is a line or the cells of a table's row, with the number of its first line.
RawRows = Iterable[tuple[int, Any]]
# Parses an unparsed row; the second argument is its file and line number, for errors.
ParseFields = Callable[[Any, str], Fields]
MakeClip = Callable[[Fields, str], Clip]

# How a process is given an open file as a path: the shell's `<(…)`, and /dev/stdin.
_OPEN_FILE = re.compile(r"/dev/(?:stdin|fd/\d+)|/proc/(?:self|\d+)/fd/\d+")
# The id at the beginning of a row of JSONL that is damaged after it.
_FIRST_ID = re.compile(r'\s*\{\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|\d{1,30})\s*,')


@dataclass(frozen=True)
class _Rows:
    """The rows of a manifest, and how to parse them.

    name: of the file that holds the rows. find_id: finds the id in a row that can't be parsed.
    """

    name: str
    rows: RawRows
    parse: ParseFields
    make_clip: MakeClip
    find_id: Callable[[Any], object]


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

    Formats: `.jsonl` has one object per line, which may be a cut of lhotse; `.tsv` and `.csv` have a header line;
    `.scp` has Kaldi's `id path`. If there is a segments file beside a wav.scp, its lines `id recording start end` are
    the clips. A file with another suffix is JSONL if it begins with a brace, CSV if its first line has a comma and no
    tab, and TSV otherwise. Each may be gzipped (`.gz`). "-" is standard input.
    Fields: audio (required, or NeMo's audio_filepath; relative to `folder_of` the manifest), id (default: audio without
    its suffix), the times of `read_interval`, text, speaker, and words: a list of {"word", "start", "end"}, in seconds
    from the start of the clip, with "confidence" if known; in TSV and CSV as JSON. Other fields are ignored.
    A row is invalid if one of its fields is, or if its id is a duplicate. Its error names file and line.
    Raises ManifestError if the file can't be read, if it has no rows, and if its header has no column audio, a column
    twice, or an unknown column that looks like a time.
    """
    path = Path(path)
    rows = _open_rows(path)
    seen: set[str] = set()
    for line_number, raw in rows.rows:
        where = f"{rows.name}: line {line_number}"
        fields: Fields = {}
        try:
            if isinstance(raw, ManifestError):
                raise raw
            fields = rows.parse(raw, where)
            clip = rows.make_clip(fields, where)
            if clip.id in seen:
                raise ManifestError(f"{where}: duplicate id {clip.id!r}; each clip needs its own")
        except ManifestError as error:
            row_id = (
                None if isinstance(raw, ManifestError) else readable_id(fields or {"id": rows.find_id(raw)})
            )
            yield BadClip(row_id or f"line {line_number}", path, error)
        else:
            seen.add(clip.id)
            yield clip


def count_clips(path: Path | str) -> int:
    """Return the number of rows of a manifest, valid or not, without parsing them.

    Raises ManifestError if the file can't be read, has no column audio or no rows, or can be read only once.
    """
    path = Path(path)
    if is_read_once(path):
        raise ManifestError(f"{_name(path)}: can be read only once, so not be counted first; give a file")
    return sum(1 for _ in _open_rows(path).rows)


def is_read_once(path: Path | str) -> bool:
    """Return whether a manifest is standard input or a pipe, such as the shell's `<(…)`, which can't be read again."""
    path = Path(path)
    return str(path) == "-" or (path.exists() and not path.is_file() and not path.is_dir())


def folder_of(path: Path) -> Path:
    """Return the folder that the paths in a manifest are relative to: its own, or the current folder for a pipe."""
    return Path() if is_read_once(path) or _OPEN_FILE.fullmatch(str(path)) else path.parent


def _open_rows(path: Path) -> _Rows:
    segments = find_segments(path)
    if segments:
        parser = SegmentParser(_text_lines(path), _name(path), path.parent)
        rows = _Rows(str(segments), _text_lines(segments), parser.parse, parser.clip, _first_column)
    else:
        rows = _detect_format(path)
    return _Rows(rows.name, _at_least_one(rows.rows, rows.name), rows.parse, rows.make_clip, rows.find_id)


def _name(path: Path) -> str:
    return "stdin" if str(path) == "-" else str(path)


def _text_lines(path: Path) -> Iterator[NumberedLine]:
    """Yield the lines that are not blank. Raises ManifestError."""
    for line_number, line in numbered_lines(path):
        if isinstance(line, ManifestError) or line.strip():
            yield line_number, line


def _at_least_one(rows: RawRows, name: str) -> RawRows:
    """Yield the rows. Raises ManifestError if there are none."""
    row = None
    for row in rows:
        yield row
    if row is None:
        raise ManifestError(f"{name}: lists no clips")


def _detect_format(path: Path) -> _Rows:
    """Return the rows, and the parser for them. Raises ManifestError for a header that can't be used."""
    name = _name(path)
    suffix = PurePath(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
    lines = _text_lines(path)
    first = next(lines, None)
    rows = chain([first], lines) if first else iter(())
    start = first[1] if first and isinstance(first[1], str) else ""
    make_clip = partial(clip_from_fields, folder_of(path))
    if suffix == ".scp":
        return _Rows(name, rows, parse_wav_scp_line, make_clip, _first_column)
    if suffix in (".jsonl", ".ndjson") or (suffix not in (".tsv", ".csv") and start.startswith("{")):
        return _Rows(name, rows, parse_json_fields, make_clip, _first_json_id)
    is_csv = suffix == ".csv" or (suffix != ".tsv" and "," in start and "\t" not in start)
    table = read_table(rows, name, "," if is_csv else "\t")
    where = f"{name}: line {table.header_line}"
    if not set(AUDIO_FIELDS) & set(table.columns):
        raise ManifestError(f"{where}: no column is named audio, only: {', '.join(table.columns)[:100]}")
    check_time_names(table.columns, where)
    return _Rows(name, table.rows, partial(_parse_cells, table), make_clip, partial(_id_cell, table))


def _parse_cells(table: Table, cells: list[str], where: str) -> Fields:
    """Return the fields of a table's row; empty cells are left out. Raises ManifestError."""
    fields: dict[str, object] = {name: cell for name, cell in table.by_column(cells, where).items() if cell}
    if words := fields.get("words"):
        try:
            fields["words"] = json.loads(str(words))
        except (ValueError, RecursionError):
            hint = (
                "; a TSV cell has no quotes around it, a CSV cell may" if str(words).startswith('"') else ""
            )
            raise ManifestError(f"{where}: words is not JSON{hint}") from None
    return fields


def _id_cell(table: Table, cells: list[str]) -> str | None:
    """Return the id of a row with too many or too few cells, of which only the first one's column is certain."""
    return cells[0] if table.columns[0] == "id" else None


def _first_column(line: str) -> str:
    return line.split(maxsplit=1)[0]


def _first_json_id(line: str) -> object:
    match = _FIRST_ID.match(line)
    try:
        return json.loads(match[1]) if match else None
    except ValueError:
        return None
