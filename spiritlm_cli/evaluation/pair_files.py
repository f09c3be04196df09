"""Readers of the files of pairs: CSV and TSV tables with a header line, and the pairs of a TSV."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiritlm_cli.errors import ManifestError, SpiritLMError, TokenError
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Group, Pair
from spiritlm_cli.tokens.reader import parse_content
from spiritlm_cli.tokens.sequence import Line


@dataclass(frozen=True)
class TableRow:
    """A row of a table: its cells by column name, and the column, from 1, of each cell's first character in the line.

    The latter assumes that no cell is quoted.
    """

    cells: dict[str, str]
    columns: dict[str, int]


def table_rows(
    path: Path, required: Iterable[str], delimiter: str = ","
) -> Iterator[tuple[int, TableRow | ManifestError]]:
    """Yield the line number and the row of each line after the header, or the error of a row of the wrong width.

    delimiter: comma for CSV, or tab for TSV, in which quotes have no meaning. Raises ManifestError if the file can't be
    read or lacks a required column.
    """
    line_number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            if delimiter == "\t":
                reader = csv.reader(stream, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
            else:
                reader = csv.reader(stream, delimiter=delimiter, strict=True)
            header = next(reader, None)
            if header is None:
                raise ManifestError(f"{path}: empty; its first line should name the columns")
            if missing := [name for name in required if name not in header]:
                names = ", ".join(header)[:100]
                raise ManifestError(
                    f"{path}: line 1: no column is named {' or '.join(missing)}, only: {names}"
                )
            line_number = 1
            for cells in reader:
                line_number = reader.line_num
                if cells:
                    yield line_number, _table_row(path, line_number, header, cells)
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: after line {line_number}: not UTF-8 text") from None
    except csv.Error as error:
        kind = "TSV" if delimiter == "\t" else "CSV"
        raise ManifestError(f"{path}: after line {line_number}: not {kind} ({error})") from None
    except OSError as error:
        raise ManifestError(f"{path}: can't be read ({error.strerror or error})") from None


def read_pairs(path: Path | str) -> Iterator[Pair | BadPair]:
    """Read the pairs of a TSV, and the rows that can't be used, in order.

    Required columns: good and bad, each a token line or plain text. Optional: id (default: the line number), type (a
    group), and given (a token line or text, the context of both sides, which is not scored). Raises ManifestError if
    the file can't be read or lacks a column.
    """
    path = Path(path)
    ids: set[str] = set()
    for line_number, row in table_rows(path, ("good", "bad"), "\t"):
        source = f"{path}: line {line_number}"
        name = str(line_number)
        try:
            if isinstance(row, SpiritLMError):
                raise row
            if row.cells.get("id"):
                name = row.cells["id"]
                if name in ids:
                    raise ManifestError(f"{source}: id {name!r} was there before; each pair needs its own")
                ids.add(name)
            good, bad = (_candidate(path, line_number, row, side) for side in ("good", "bad"))
            given = _parse(path, line_number, row, "given") if row.cells.get("given") else None
        except SpiritLMError as error:
            yield BadPair(name, source, error)
        else:
            groups = (Group("type", row.cells["type"]),) if row.cells.get("type") else ()
            yield Pair(name, source, (good,), (bad,), groups, given=given)


def _table_row(path: Path, line_number: int, header: list[str], cells: list[str]) -> TableRow | ManifestError:
    if len(cells) != len(header):
        return ManifestError(
            f"{path}: line {line_number}: {len(cells)} columns, but line 1 names {len(header)}"
        )
    starts = np.cumsum([1, *(len(cell) + 1 for cell in cells[:-1])]).tolist()
    return TableRow(dict(zip(header, cells, strict=True)), dict(zip(header, starts, strict=True)))


def _candidate(path: Path, line_number: int, row: TableRow, side: str) -> Candidate:
    sequence = _parse(path, line_number, row, side).sequence
    if not sequence.spans:
        raise ManifestError(f"{path}: line {line_number}: {side} is empty")
    return Candidate(side, f"{path}: line {line_number}: {side}", sequence)


def _parse(path: Path, line_number: int, row: TableRow, column: str) -> Line:
    try:
        return parse_content(row.cells[column], line_number, row.columns[column])
    except TokenError as error:
        raise TokenError(f"{path}: {error}") from None
