"""Tables and texts of results, on a console of any width."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

# Columns that names of rows need at least. With less, the table is not printed as a table.
_NAME = 24
_ANY_WIDTH = 10_000


def print_text(text: "Text", console: "Console") -> None:
    """Print a text, wrapped between words on a terminal only."""
    for line in text.wrap(console, console.width) if console.is_terminal else [text.copy()]:
        line.rstrip()
        console.print(line, soft_wrap=True, highlight=False)


def print_table(table: "Table", console: "Console") -> None:
    """Print a table, whose lines end without blanks.

    The names in the first column are wrapped if that makes it fit. A table that is still wider than the console is
    printed as a list: the name of each row, and below it a line for each value.
    """
    names = table.columns[0]
    natural = console.measure(table, options=console.options.update(width=_ANY_WIDTH)).maximum
    longest = max((len(str(cell)) for cell in names.cells), default=0)
    names.min_width = min(_NAME, longest)
    if natural - longest + names.min_width <= console.width:
        _print_lines(table, console)
    else:
        _print_rows(table, console)


def _print_lines(table: "Table", console: "Console") -> None:
    from rich.segment import Segment, Segments

    for line in console.render_lines(table, pad=False):
        while line and not line[-1].text.strip():
            line.pop()
        if line:
            line[-1] = line[-1]._replace(text=line[-1].text.rstrip())
        console.print(Segments([*line, Segment.line()]), soft_wrap=True, end="")


def _print_rows(table: "Table", console: "Console") -> None:
    from rich.text import Text

    if table.title:
        console.print(table.title, end="\n\n", highlight=False)
    names, *columns = table.columns
    values = [list(column.cells) for column in columns]
    for index, cell in enumerate(names.cells):
        name = _text(cell, names)
        console.print(name, highlight=False)
        indent = " " * (len(name.plain) - len(name.plain.lstrip()) + 2)
        for column, cells in zip(columns, values, strict=True):
            if value := _text(cells[index], column):
                label = _text(column.header, column)
                label = label.append(": ") if label else label
                if column.max_width:  # it may be very long
                    room = console.width - len(indent) - label.cell_len
                    value.truncate(max(room, 1), overflow="ellipsis")
                console.print(Text.assemble(indent, label, value), highlight=False)
    if table.caption:
        console.print("\n", table.caption, sep="")


def _text(cell: object, column: "Column") -> "Text":
    """A cell or heading, with the style of its column."""
    from rich.text import Text

    text = cell.copy() if isinstance(cell, Text) else Text.from_markup(str(cell))
    text.stylize_before(column.style)
    return text
