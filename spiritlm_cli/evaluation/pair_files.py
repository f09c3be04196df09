"""Readers of the files of pairs: CSV and TSV tables with a header line, and the pairs of a TSV."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiritlm_cli.errors import ManifestError, SpiritLMError, TokenError
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Group, Pair
from spiritlm_cli.manifests.tables import read_table
from spiritlm_cli.text_files import numbered_lines
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
    path: Path | str, required: Iterable[str], delimiter: str = ","
) -> Iterator[tuple[int, TableRow | ManifestError]]:
    """Yield the line number and the row of each line after the header, or the error of a row of the wrong width.

    path: "-" is standard input. delimiter: comma for CSV, or tab for TSV, in which quotes have no meaning. Raises
    ManifestError if the file can't be read, or if it lacks a required column or has one twice.
    """
    name = "stdin" if str(path) == "-" else str(path)
    table = read_table(numbered_lines(path), name, delimiter)
    if missing := [column for column in required if column not in table.columns]:
        names = ", ".join(table.columns)[:100]
        raise ManifestError(
            f"{name}: line {table.header_line}: no column is named {' or '.join(missing)}, only: {names}"
        )
    for line_number, cells in table.rows:
        try:
            if isinstance(cells, ManifestError):
                raise cells
            by_column = table.by_column(cells, f"{name}: line {line_number}")
        except ManifestError as error:
            yield line_number, error
        else:
            starts = np.cumsum([1, *(len(cell) + 1 for cell in cells[:-1])]).tolist()
            yield line_number, TableRow(by_column, dict(zip(table.columns, starts, strict=True)))


def read_pairs(path: Path | str) -> Iterator[Pair | BadPair]:
    """Read the pairs of a TSV, and the rows that can't be used, in order.

    path: "-" is standard input.
    Required columns: good and bad, each a token line or plain text. Optional: id (default: `line N`), type (a group),
    and given (a token line or text, the context of both sides, which is not scored). Raises ManifestError if the file
    can't be read, has no rows, lacks a column or has one twice.
    """
    ids: set[str] = set()
    file = "stdin" if str(path) == "-" else str(path)
    line_number = None
    for line_number, row in table_rows(path, ("good", "bad"), "\t"):
        source = f"{file}: line {line_number}"
        name = f"line {line_number}"
        try:
            if isinstance(row, SpiritLMError):
                raise row
            if row.cells.get("id"):
                name = row.cells["id"]
                if name in ids:
                    raise ManifestError(f"{source}: id {name!r} was there before; each pair needs its own")
                ids.add(name)
            good, bad = (_candidate(file, line_number, row, side) for side in ("good", "bad"))
            given = _parse(file, line_number, row, "given") if row.cells.get("given") else None
        except SpiritLMError as error:
            yield BadPair(name, source, error)
        else:
            groups = (Group("type", row.cells["type"]),) if row.cells.get("type") else ()
            yield Pair(name, source, (good,), (bad,), groups, given=given)
    if line_number is None:
        raise ManifestError(f"{file}: has no pairs")


def _candidate(file: str, line_number: int, row: TableRow, side: str) -> Candidate:
    sequence = _parse(file, line_number, row, side).sequence
    if not sequence.spans:
        raise ManifestError(f"{file}: line {line_number}: {side} is empty")
    return Candidate(side, f"{file}: line {line_number}: {side}", sequence)


def _parse(file: str, line_number: int, row: TableRow, column: str) -> Line:
    try:
        return parse_content(row.cells[column], line_number, row.columns[column])
    except TokenError as error:
        raise TokenError(f"{file}: {error}") from None
