"""Tables with a header line: TSV, in which quotes have no meaning, and CSV, in which they do (RFC 4180)."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.text_files import MAX_LINE, NumberedLine

Rows = Iterator[tuple[int, list[str] | ManifestError]]


@dataclass(frozen=True)
class Table:
    """A table: the names of its columns, the line that names them, and its rows.

    rows: the cells of each row, with the number of its first line, or the error of a row that can't be read.
    """

    columns: list[str]
    header_line: int
    rows: Rows

    def by_column(self, cells: list[str], where: str) -> dict[str, str]:
        """Return the cells of a row by column name. Raises ManifestError if there are too many or too few."""
        if len(cells) != len(self.columns):
            raise ManifestError(
                f"{where}: {len(cells)} columns, but line {self.header_line} names {len(self.columns)}"
            )
        return dict(zip(self.columns, cells, strict=True))


def read_table(lines: Iterable[NumberedLine], name: str, delimiter: str = "\t") -> Table:
    """Read the header of a table, and its rows as they are iterated. Blank lines are skipped.

    name: of the file, for errors. delimiter: tab for TSV; a comma for CSV, whose cells may be in double quotes and then
    hold commas, line ends, and quotes that are doubled.
    Raises ManifestError for a table without a header and for a column name that occurs twice.
    """
    rows = _split_at_tabs(lines) if delimiter == "\t" else csv_rows(lines, name)
    header = next(rows, None)
    if header is None:
        raise ManifestError(f"{name}: empty; its first line should name the columns")
    line_number, columns = header
    if isinstance(columns, ManifestError):
        raise columns
    for index, column in enumerate(columns):
        if column in columns[:index]:
            raise ManifestError(f"{name}: line {line_number}: two columns are named {column!a}")
    return Table(columns, line_number, rows)


def _split_at_tabs(lines: Iterable[NumberedLine]) -> Rows:
    for line_number, line in lines:
        if isinstance(line, ManifestError):
            yield line_number, line
        elif line.strip():
            yield line_number, line.split("\t")


def csv_rows(lines: Iterable[NumberedLine], name: str) -> Rows:
    """Yield the rows of CSV with the number of their first line, or the error of one that can't be read.

    name: of the file, for errors. Blank rows are skipped.
    """
    csv.field_size_limit(MAX_LINE)
    source = _Lines(lines)
    reader = csv.reader(source, strict=True)
    while True:
        first = source.line_number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except ManifestError as error:
            yield source.line_number, error
        except csv.Error as error:
            yield (
                first,
                ManifestError(f"{name}: line {first}: {_csv_reason(str(error), first, source.line_number)}"),
            )
        else:
            if any(cell.strip() for cell in cells):
                yield first, cells


def _csv_reason(reason: str, first: int, last: int) -> str:
    if reason == "unexpected end of data":
        return f"a quote is not closed; the row goes on to the end of the file, line {last}"
    return f"not CSV ({reason})"


class _Lines:
    """Lines with their ends for `csv.reader`. An error in place of a line is raised, and the next call goes on."""

    def __init__(self, lines: Iterable[NumberedLine]) -> None:
        self._lines = iter(lines)
        self.line_number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.line_number, line = next(self._lines)
        if isinstance(line, ManifestError):
            raise line
        return line + "\n"
