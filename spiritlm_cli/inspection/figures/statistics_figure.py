"""The figure of statistics: how often units occur, how long their runs are, and how long the inputs are."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spiritlm_cli.inspection.bars import Bar, histogram_bars
from spiritlm_cli.inspection.figures.boxes import place_labels
from spiritlm_cli.inspection.figures.figure import (
    GRAY,
    LARGE,
    LINE_SPACING,
    MARGIN,
    NORMAL,
    SMALL,
    WIDTH,
    Ruler,
    add_axes,
    add_text,
    new_figure,
)
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.inspection.rendering import describe_inputs
from spiritlm_cli.inspection.statistics import UnitStatistics
from spiritlm_cli.inspection.streams import FRAME_MS, StreamStatistics
from spiritlm_cli.inspection.timeline import STREAM_NAMES

# Inches: a panel, the space to the left of each, and the lines above and below a row of panels.
_PANEL_HEIGHT, _LEFT, _ABOVE, _BELOW = 1.15, 0.52, 0.24, 0.42
# Bars of a histogram that the width of a panel has room for, at least: one bar is not as wide as the panel.
_MIN_BARS = 6


def statistics_figure(statistics: UnitStatistics) -> Figure:
    """The figure of statistics, 1200 pixels wide: a row of panels for each stream, and one for the inputs."""
    ruler = Ruler()
    lines = [ruler.fit(line, NORMAL, WIDTH - 2 * MARGIN) for line in describe_inputs(statistics)]
    header = MARGIN + LINE_SPACING * (LARGE + NORMAL * len(lines)) + 0.06
    row_height = _ABOVE + _PANEL_HEIGHT + _BELOW
    has_inputs = statistics.inputs > 1
    figure = new_figure(header + row_height * (len(statistics.streams) + has_inputs) + 0.02)
    add_text(figure, MARGIN, MARGIN, "Statistics of units", fontsize=LARGE, fontweight="bold")
    for index, line in enumerate(lines):
        top = MARGIN + LINE_SPACING * (LARGE + NORMAL * index)
        add_text(figure, MARGIN, top, line, fontsize=NORMAL, color=GRAY)
    top = header
    for stream in statistics.streams.values():
        _draw_stream(figure, top, stream, ruler)
        top += row_height
    if has_inputs:
        add_text(figure, MARGIN, top, "inputs", fontsize=NORMAL, fontweight="bold")
        seconds, units = _row(figure, "inputs", top + _ABOVE, (1, 1))
        bars = histogram_bars(statistics.seconds_per_input)
        draw_bars(seconds, bars, LIGHT.text, "seconds of speech an input, from", "inputs", ruler)
        bars = histogram_bars(statistics.units_per_input, step=1)
        draw_bars(units, bars, LIGHT.text, "units an input, from", "inputs", ruler)
    return figure


def describe_stream(stream: StreamStatistics) -> str:
    """Codebook use, entropy, perplexity and rates of a stream, in one line."""
    used = f"{stream.used:,} of {stream.codebook:,}" if stream.codebook else f"{stream.distinct:,}"
    parts = [f"runs: {stream.runs:,}", f"units used: {used}"]
    parts += [f"entropy {stream.entropy:.2f} bits", f"perplexity {stream.perplexity:,.1f}"]
    if stream.rate is not None:
        parts.append(f"{stream.rate:.1f} runs/s")
    if stream.entropy_bitrate is not None:
        parts.append(f"{stream.entropy_bitrate:.0f} bits/s")
    if stream.outside:
        parts.append(f"runs of units outside of the codebook: {stream.outside:,}")
    return " · ".join(parts)


def draw_ranks(axes: Axes, stream: StreamStatistics, color: str) -> None:
    """Draw the number of runs of each unit, most frequent first, on logarithmic axes. A dotted line is at the size of
    the codebook."""
    counts = np.sort(stream.counts[stream.counts > 0])[::-1]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot(np.arange(1, len(counts) + 1), counts, color=color, linewidth=1.2, marker=".", markersize=2.5)
    if stream.codebook:
        axes.axvline(stream.codebook, color=GRAY, linewidth=0.8, linestyle=":")
    last = max(stream.codebook or 1, len(counts))
    axes.set_xlim(0.9, 1.3 * last)
    axes.set_ylim(0.7, 1.6 * float(counts.max(initial=1)))
    _log_ticks(axes, last, float(counts.max(initial=1)))
    axes.set_xlabel("rank of the unit", fontsize=SMALL, labelpad=2)
    axes.set_ylabel("runs", fontsize=SMALL, labelpad=2)


def draw_use(axes: Axes, stream: StreamStatistics, color: str) -> None:
    """Draw the number of runs of each unit, by its id. Units of the codebook without runs have a mark below 0."""
    size = max(stream.codebook or 0, len(stream.counts))
    counts = np.pad(stream.counts, (0, size - len(stream.counts)))
    axes.stairs(counts, np.arange(size + 1) - 0.5, fill=True, color=color, linewidth=0)
    largest = float(counts.max(initial=1))
    unused = np.flatnonzero(counts[: stream.codebook] == 0) if stream.codebook else np.zeros(0)
    label = f"id of the unit; a mark below 0: no run ({len(unused):,})" if len(unused) else "id of the unit"
    axes.vlines(unused, -0.09 * largest, -0.03 * largest, color=LIGHT.resynthesis, linewidth=0.6)
    axes.set_xlim(-0.5, max(size, 1) - 0.5)
    axes.set_ylim(-0.12 * largest, 1.05 * largest)
    axes.set_xlabel(label, fontsize=SMALL, labelpad=2)
    ticks = MaxNLocator(4, integer=True).tick_values(0, largest)
    axes.set_yticks([tick for tick in ticks if 0 <= tick <= 1.05 * largest])


def draw_bars(axes: Axes, bars: Sequence[Bar], color: str, label: str, counted: str, ruler: Ruler) -> None:
    """Draw a bar for each bin of a histogram, labeled with the least value of the bin where there is room.

    label: of the values. counted: what there is a number of.
    """
    axes.bar(range(len(bars)), [bar.count for bar in bars], width=0.85, color=color)
    starts = [bar.label.partition("–")[0] for bar in bars]
    inches_per_bar = axes.bbox.width / axes.figure.dpi / max(len(bars), _MIN_BARS)
    widths = np.array([ruler.width(start, SMALL) + 0.06 for start in starts], dtype=np.float64)
    levels = place_labels(np.arange(len(bars), dtype=np.float64) * inches_per_bar, widths, 1)
    shown = np.flatnonzero(levels == 0).tolist()
    axes.set_xticks(shown, [starts[index] for index in shown])
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel(label, fontsize=SMALL, labelpad=2)
    axes.set_ylabel(counted, fontsize=SMALL, labelpad=2)
    axes.set_xlim(-0.6, max(len(bars), _MIN_BARS) - 0.4)


def _draw_stream(figure: Figure, top: float, stream: StreamStatistics, ruler: Ruler) -> None:
    color, name = LIGHT.stream(stream.kind), STREAM_NAMES[stream.kind]
    add_text(figure, MARGIN, top, name, fontsize=NORMAL, fontweight="bold", color=color)
    add_text(figure, 0.75, top, describe_stream(stream), fontsize=NORMAL)
    ranks, use, durations = _row(figure, name, top + _ABOVE, (1, 1.5, 1.3))
    draw_ranks(ranks, stream, color)
    draw_use(use, stream, color)
    bars = histogram_bars(stream.durations, FRAME_MS, step=1)
    draw_bars(durations, bars, color, "duration of a run in ms, from", "runs", ruler)


def _row(figure: Figure, name: str, top: float, shares: Sequence[float]) -> list[Axes]:
    """Axes side by side, whose widths have the ratio of `shares`."""
    width = WIDTH - MARGIN - _LEFT * len(shares)
    axes = []
    left = _LEFT
    for index, share in enumerate(shares):
        part = width * share / sum(shares)
        axes.append(add_axes(figure, f"{name} {index}", left, top, part, _PANEL_HEIGHT))
        axes[-1].spines[["top", "right"]].set_visible(False)
        left += part + _LEFT
    return axes


def _log_ticks(axes: Axes, across: float, up: float) -> None:
    """Label powers of ten in full, such as 1000."""
    axes.minorticks_off()
    ticks = [10**power for power in range(math.ceil(math.log10(max(across, up, 10))) + 1)]
    for axis, largest in ((axes.xaxis, across), (axes.yaxis, up)):
        inside = [tick for tick in ticks if tick <= 1.3 * largest]
        axis.set_ticks(inside, [f"{tick:,}" for tick in inside])
