"""Differences of clips and token lines, for a terminal: the two sides above each other, and a table of all lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spiritlm_cli.console import counted
from spiritlm_cli.inspection.unit_diff import STREAMS, Counts, DiffTotals, LineDiff, StreamDiff, StreamSide
from spiritlm_cli.inspection.wrapping import shown_line
from spiritlm_cli.printing import print_text
from spiritlm_cli.tokens.edit_distance import NONE

# What stands where one side has no unit.
_GAP = "-"
_STYLES = {"substitution": "bold yellow", "insertion": "bold green", "deletion": "bold red"}
_SIDES = {"A": "deletion", "B": "insertion"}
# How many confusions the table names for each stream.
_CONFUSIONS = 5


@dataclass(frozen=True)
class DiffReport:
    """The differences of all lines, as a table or as JSON."""

    totals: DiffTotals

    def to_json(self) -> dict[str, Any]:
        """Return an object for `json.dumps`."""
        return self.totals.to_json()

    def table(self) -> Table:
        """Return a table with a row for each stream, below the number of lines that differ."""
        totals = self.totals
        table = Table(title=_headline(totals), title_justify="left", box=None, pad_edge=False)
        table.add_column("stream")
        for heading in ("units", "UER", "subst.", "inserted", "deleted", "40 ms frames"):
            table.add_column(heading, justify="right")
        for name in STREAMS:
            if counts := totals.counts.get(name):
                table.add_row(name, *_cells(counts))
        return table


def _headline(totals: DiffTotals) -> str:
    parts = [f"{counted(totals.lines, 'line')} compared, {totals.different:,} different"]
    parts += [
        f"{count:,} only in {side}" for side, count in (("A", totals.only_a), ("B", totals.only_b)) if count
    ]
    return ", ".join(parts)


def _cells(counts: Counts) -> tuple[str, ...]:
    frames = f"{100 * counts.different_frames / counts.frames:.1f} % differ" if counts.frames else ""
    numbers = (counts.substitutions, counts.insertions, counts.deletions)
    return (f"{counts.units:,}", _rate(counts), *(f"{number:,}" for number in numbers), frames)


def _rate(counts: Counts) -> str:
    return "" if counts.error_rate is None else f"{100 * counts.error_rate:.1f} %"


def print_confusions(totals: DiffTotals, console: Console) -> None:
    """Print which units of each stream replace each other most often."""
    for name in STREAMS:
        if pairs := totals.most_confused(name, _CONFUSIONS):
            shown = ", ".join(f"{a} by {b} ({count}×)" for a, b, count in pairs)
            print_text(Text(f"{name}, most often replaced: {shown}"), console)


def print_line_diff(diff: LineDiff, console: Console, context: int) -> None:
    """Print the stretches of a line that differ, with `context` units around them; nothing for equal sides.

    A third row marks what differs, for terminals and files without color.
    """
    if diff.equal:
        return
    name, other = shown_line(diff.a.id), shown_line(diff.b.id)
    title = name if name == other else f"{name} | {other}"
    print_text(Text(title, style="bold"), console)
    rates = [f"{stream.name} {_rate(stream.counts)}" for stream in diff.streams if stream.counts.distance]
    if rates:
        print_text(Text(f"  UER: {', '.join(rates)}"), console)
    if diff.only_times_differ:
        print_text(Text("  the same units and text; their repeats or their order differ"), console)
    for stream in diff.streams:
        predicted = (diff.a.timeline.predicted, diff.b.timeline.predicted)
        for steps in stream.stretches(context):
            print_text(Text(f"  {stream.name}  {_interval(stream, steps, predicted)}", style="cyan"), console)
            for row in _rows(stream, steps, console.width):
                print_text(row, console)


def print_missing(name: str, side: Literal["A", "B"], console: Console) -> None:
    """Print that a line is there on one side only."""
    print_text(Text(f"{shown_line(name)}: only in {side}", style=_STYLES[_SIDES[side]]), console)


def _interval(stream: StreamDiff, steps: slice, predicted: tuple[bool, bool]) -> str:
    """When a stretch is spoken on either side, such as `A 1.24–1.80 s, B 1.24–1.84 s`."""
    sides = (("A", stream.a, stream.path.a), ("B", stream.b, stream.path.b))
    parts = []
    for (name, side, path), is_predicted in zip(sides, predicted, strict=True):
        indices = [index for index in path[steps].tolist() if index != NONE]
        if indices:
            about = "about " if is_predicted else ""
            start, end = side.starts[indices[0]], side.ends[indices[-1]]
            seconds = f"{start:.2f}" if stream.name == "text" else f"{start:.2f}–{end:.2f}"
            parts.append(f"{name} {about}{seconds} s")
        else:
            parts.append(f"{name} nothing")
    return ", ".join(parts)


def _rows(stream: StreamDiff, steps: slice, width: int) -> Iterator[Text]:
    """Three rows for each part of a stretch that fits into `width` columns: A, B, and marks below what differs."""
    columns = [_Column.of(stream, step) for step in range(steps.start, steps.stop)]
    while columns:
        used, count = 6, 0
        while count < len(columns) and (count == 0 or used + columns[count].width <= width):
            used += columns[count].width + 1
            count += 1
        part, columns = columns[:count], columns[count:]
        yield _row("    A ", [(column.a, column) for column in part])
        yield _row("    B ", [(column.b, column) for column in part])
        marks = "".join(("^" * column.width if column.style else " " * column.width) + " " for column in part)
        if marks.strip():
            yield Text(f"      {marks}".rstrip())


@dataclass(frozen=True)
class _Column:
    """One step of an alignment. style: None where the two sides are equal."""

    a: str
    b: str
    style: str | None

    @classmethod
    def of(cls, stream: StreamDiff, step: int) -> "_Column":
        path = stream.path
        a, b = _label(stream.a, path.a[step]), _label(stream.b, path.b[step])
        kind = "insertion" if path.a[step] == NONE else "deletion" if path.b[step] == NONE else "substitution"
        shown_a, shown_b = (_GAP if label is None else shown_line(label) for label in (a, b))
        if shown_a == shown_b and not path.equal[step]:  # texts that differ in what can't be seen
            shown_a, shown_b = (_GAP if label is None else ascii(label) for label in (a, b))
        return cls(shown_a, shown_b, None if path.equal[step] else _STYLES[kind])

    @property
    def width(self) -> int:
        """Number of terminal columns."""
        return max(cell_len(self.a), cell_len(self.b))


def _label(side: StreamSide, index: int) -> str | None:
    return None if index == NONE else side.labels[index]


def _row(name: str, cells: list[tuple[str, _Column]]) -> Text:
    text = Text(name)
    for label, column in cells:
        text.append(label, column.style)
        text.append(" " * (column.width - cell_len(label) + 1))
    text.rstrip()
    return text
