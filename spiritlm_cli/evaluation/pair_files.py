"""Tables whose first line names the columns, and the pairs in them."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spiritlm_cli.errors import ManifestError, SpiritLMError, TokenError
from spiritlm_cli.evaluation.pairs import BadPair, Candidate, Group, Pair
from spiritlm_cli.tokens.reader import parse_content
from spiritlm_cli.tokens.sequence import Line


def read_pairs(path: Path | str) -> Iterator[Pair | BadPair]:
    """The pairs of a TSV, one after another, and the rows that can't be used.

    Its first line names the columns: good and bad, each a token line or plain text; and where they apply id (by
    default the line's number), type (a group), and given (a token line or text that both follow, which is not scored).
    Others are passed over. Raises ManifestError where the file can't be read, or lacks a column.
    """
    path = Path(path)
    rows = table_rows(path, ("good", "bad"), "\t")
    seen: set[str] = set()
    for number, row in rows:
        source = f"{path}: line {number}"
        name = number if isinstance(row, SpiritLMError) else row.cells.get("id") or number
        try:
            if isinstance(row, SpiritLMError):
                raise row
            if row.cells.get("id"):
                if name in seen:
                    raise ManifestError(f"{source}: id {name!r} was there before; each pair needs its own")
                seen.add(name)
            good, bad = (_side(path, number, row, side) for side in ("good", "bad"))
            given = _parsed(path, number, row, "given") if row.cells.get("given") else None
        except SpiritLMError as error:
            yield BadPair(name, source, error)
        else:
            groups = (Group("type", row.cells["type"]),) if row.cells.get("type") else ()
            yield Pair(name, source, (good,), (bad,), groups, given=given)


@dataclass(frozen=True)
class TableRow:
    """A row by its column's names. columns: at which character, from 1, each cell begins where none is quoted."""

    cells: dict[str, str]
    columns: dict[str, int]


def table_rows(
    path: Path, needed: Iterable[str], delimiter: str = ","
) -> Iterator[tuple[str, TableRow | ManifestError]]:
    """The rows of a CSV or (then nothing is quoted) TSV whose first line names the columns, each with its number.

    A row with too few or too many cells is given as its error. Raises ManifestError, with file and line, where the
    file can't be read or lacks a column that is needed.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            if delimiter == "\t":
                reader = csv.reader(stream, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
            else:
                reader = csv.reader(stream, delimiter=delimiter, strict=True)
            columns = next(reader, None)
            if columns is None:
                raise ManifestError(f"{path}: empty; its first line should name the columns")
            if lacking := [name for name in needed if name not in columns]:
                found = ", ".join(columns)[:100]
                raise ManifestError(
                    f"{path}: line 1: no column is named {' or '.join(lacking)}, only: {found}"
                )
            number = 1
            for cells in reader:
                number = reader.line_num
                if not cells:
                    continue
                if len(cells) != len(columns):
                    yield (
                        str(number),
                        ManifestError(
                            f"{path}: line {number}: {len(cells)} columns, but line 1 names {len(columns)}"
                        ),
                    )
                    continue
                starts = np.cumsum([1, *(len(cell) + 1 for cell in cells[:-1])]).tolist()
                yield (
                    str(number),
                    TableRow(dict(zip(columns, cells, strict=True)), dict(zip(columns, starts, strict=True))),
                )
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: after line {number}: not UTF-8 text") from None
    except csv.Error as error:
        raise ManifestError(f"{path}: after line {number}: not {_kind(delimiter)} ({error})") from None
    except OSError as error:
        raise ManifestError(f"{path}: can't be read ({error.strerror or error})") from None


def _kind(delimiter: str) -> str:
    return "TSV" if delimiter == "\t" else "CSV"


def _side(path: Path, number: str, row: TableRow, side: str) -> Candidate:
    sequence = _parsed(path, number, row, side).sequence
    if not sequence.spans:
        raise ManifestError(f"{path}: line {number}: {side} is empty")
    return Candidate(side, f"{path}: line {number}: {side}", sequence)


def _parsed(path: Path, number: str, row: TableRow, column: str) -> Line:
    try:
        return parse_content(row.cells[column], int(number), row.columns[column])
    except TokenError as error:
        raise TokenError(f"{path}: {error}") from None
