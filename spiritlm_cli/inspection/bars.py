"""Bar charts and grids of counts as text."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.text import Text

from spiritlm_cli.inspection.histogram import Histogram
from spiritlm_cli.tokens.units import IntArray

_WIDEST = 40  # columns of a bar
_NARROWEST = 4
_WHOLE, _HALF = "━╸"
_LEVELS = "·▁▂▃▄▅▆▇"
_CELLS_PER_TEN = 10
_MAX_CELLS = 1000
_MAX_CELLS_PER_ROW = 100


@dataclass(frozen=True)
class Bar:
    """One bar of a chart. note: shown before the bar."""

    label: str
    count: int
    note: str = ""


def chart(bars: Sequence[Bar], total: int, width: int, style: str = "") -> Iterator[Text]:
    """Yield a line for each bar: its label, count, percentage of `total` and note, and the bar.

    The length of a bar is relative to the largest count. width: columns of the lines. style: color of the bars. Where
    no bar fits beside its label, the label is on a line of its own.
    """
    if not bars:
        return
    labels = max(len(bar.label) for bar in bars)
    counts = max(len(f"{bar.count:,}") for bar in bars)
    notes = max(len(bar.note) for bar in bars)
    largest = max(bar.count for bar in bars)
    for bar in bars:
        figures = f"{bar.count:>{counts},}  {100 * bar.count / max(total, 1):5.1f} %  "
        if notes:
            figures += f"{bar.note:>{notes}}  "
        if labels + 2 + len(figures) + _NARROWEST <= width:
            figures = f"{bar.label:>{labels}}  {figures}"
        else:
            yield Text(bar.label)
            figures = f"  {figures}"
        room = min(max(width - len(figures), _NARROWEST), _WIDEST)
        drawn = _bar(bar.count / max(largest, 1), room)
        yield Text.assemble(figures if drawn else figures.rstrip(), (drawn, style))


def histogram_bars(histogram: Histogram, scale: float = 1, step: float = 0) -> list[Bar]:
    """Return a bar for each bin. scale: by which values are multiplied. step: distance between values; 0: any value."""
    bars: list[Bar] = []
    for item in histogram.bins(scale):
        last = item.end - step * scale if step else item.end
        label = f"{item.start:g}" if last == item.start else f"{item.start:g}–{last:g}"
        bars.append(Bar(label, item.count))
    return bars


def grid(counts: IntArray, width: int, style: str = "") -> Iterator[Text]:
    """Yield rows with a character for each unit, whose height grows with the logarithm of its count.

    counts: (ids,). The first row says what the characters mean. Each of the others begins with its first id. Of very
    many ids, a character stands for several.
    """
    per_cell = max(math.ceil(len(counts) / _MAX_CELLS), 1)
    padded = np.pad(counts, (0, -len(counts) % per_cell))
    cells: list[int] = padded.reshape(-1, per_cell).sum(axis=1).tolist()
    largest = max(cells, default=0)
    meanings = [f"{_LEVELS[0]} never"]
    if largest:
        meanings.append(f"{_LEVELS[_level(1, largest)]} once")
    if largest > 1:
        meanings.append(f"{_LEVELS[-1]} {largest:,} times")
    each = "each id" if per_cell == 1 else f"{per_cell} ids"
    yield Text(f"{'  '.join(meanings)}; one character for {each}", "dim")
    labels = len(f"{len(counts):,}")
    tens = min((width - labels - 2) // _CELLS_PER_TEN * _CELLS_PER_TEN, _MAX_CELLS_PER_ROW)
    per_row = max(tens, _CELLS_PER_TEN)
    for start in range(0, len(cells), per_row):
        row = "".join(_LEVELS[_level(count, largest)] for count in cells[start : start + per_row])
        yield Text.assemble((f"{start * per_cell:>{labels}}  ", "dim"), (row, style))


def _level(count: int, largest: int) -> int:
    """0 for no count, 1 for the count 1, up to the highest level for the largest one."""
    highest = len(_LEVELS) - 1
    if count < 1 or largest == 1:
        return highest if count else 0
    return 1 + round((highest - 1) * math.log(count) / math.log(largest))


def _bar(share: float, width: int) -> str:
    """A bar of `width` columns for the share 1. No share above 0 is without a bar."""
    halves = max(round(share * width * 2), 1 if share else 0)
    return _WHOLE * (halves // 2) + _HALF * (halves % 2)
