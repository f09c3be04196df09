"""The figure of one clip or token line: panels over a common time axis, in as many rows as keep unit ids legible."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spiritlm_cli.inspection.figures.boxes import Boxes, choose_style, draw_boxes
from spiritlm_cli.inspection.figures.clip_header import ClipHeader
from spiritlm_cli.inspection.figures.clip_signals import draw_spectrogram, draw_waveform, f0_panel, loudest_db
from spiritlm_cli.inspection.figures.figure import SMALL, Ruler, add_axes, new_figure
from spiritlm_cli.inspection.figures.flags import Flags, draw_flags, place_flags
from spiritlm_cli.inspection.figures.rows import ROW_LEFT, ROW_WIDTH, Row, split_rows
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.inspection.timeline import STREAM_NAMES
from spiritlm_cli.tokens.units import Kind

# Inches: the longest word.
_MAX_WORD = 1.2
# Inches between panels, and below the panels of a row.
_GAP, _BELOW = 0.03, 0.32
# The most levels of labels in the panels that are not as those of units, and whether labels may stand upright.
_LABELS = {"words": (4, False), STREAM_NAMES[Kind.STYLE]: (1, False)}


@dataclass(frozen=True)
class Panel:
    """A panel that each row has. height: inches. draw: draws it for a row. color: of its name at the left."""

    name: str
    height: float
    draw: Callable[[Axes, Row], None]
    color: str = LIGHT.text


def clip_figure(inspected: Inspected) -> Figure:
    """The figure of a clip or token line, 1200 pixels wide."""
    seconds = max(inspected.seconds, inspected.timeline.seconds)
    ruler = Ruler()
    f0 = f0_panel(inspected)
    header = ClipHeader.of(inspected, f0, ruler)
    top = header.height
    if seconds <= 0:
        figure = new_figure(top)
        header.draw(figure)
        return figure
    rows = split_rows(seconds)
    panels = _sound_panels(inspected) + _lane_panels(inspected, rows, ruler)
    if f0:
        after = next(index for index, panel in enumerate(panels) if panel.name == STREAM_NAMES[Kind.HUBERT])
        panels.insert(after + 1, Panel("F0\nHz" if not f0.relative else "Hz over\nmean", 0.62, f0.draw))
    flags = [place_flags(inspected.timeline.texts, row, ruler) for row in rows]
    height = sum(panel.height + _GAP for panel in panels) + _BELOW
    figure = new_figure(top + sum(row_flags.height + height for row_flags in flags) - 0.05)
    header.draw(figure)
    for row, row_flags in zip(rows, flags, strict=True):
        _draw_row(figure, top, row, row_flags, panels)
        top += row_flags.height + height
    return figure


def _draw_row(figure: Figure, top: float, row: Row, flags: Flags, panels: list[Panel]) -> None:
    """Draw one row. top: inches from the upper edge of the figure."""
    bottom = top + flags.height + sum(panel.height + _GAP for panel in panels) - _GAP
    if flags.flags:
        draw_flags(add_axes(figure, "text", ROW_LEFT, top, ROW_WIDTH, bottom - top), flags)
    top += flags.height
    for panel in panels:
        axes = add_axes(figure, panel.name, ROW_LEFT, top, ROW_WIDTH, panel.height)
        axes.set_xlim(row.start, row.end)
        axes.set_xticks([])
        panel.draw(axes, row)
        across = -0.34 if axes.get_yticks().size else -0.06
        axes.text(
            across / ROW_WIDTH,
            0.5,
            panel.name,
            color=panel.color,
            fontsize=SMALL,
            transform=axes.transAxes,
            horizontalalignment="right",
            verticalalignment="center",
        )
        top += panel.height + _GAP
    step = row.tick_seconds
    ticks = np.arange(np.ceil(row.start / step - 1e-6), np.floor(row.end / step + 1e-6) + 1) * step
    axes.set_xticks(ticks, [f"{tick:.10g} s" for tick in np.abs(np.round(ticks, 6))])


def _sound_panels(inspected: Inspected) -> list[Panel]:
    """Waveform and spectrogram of the original, or else of the resynthesis, if there is one."""
    sound = inspected.original or inspected.resynthesis
    if sound is None:
        return []
    waveform = sound.waveform
    peak = max(float(np.abs(waveform.samples).max(initial=0)), 1e-4)
    loudest = loudest_db(waveform)
    starts = inspected.timeline.lanes[0].starts

    def spectrogram(axes: Axes, row: Row) -> None:
        draw_spectrogram(axes, row, waveform, loudest)
        inside = starts[(starts > row.start) & (starts < row.end)]
        axes.vlines(inside, 0, 8, color=LIGHT.phonetic, linewidth=0.45, alpha=0.55)

    if inspected.original:
        name, color = "original", LIGHT.original
    else:
        name, color = "resynthesis", LIGHT.resynthesis
    return [
        Panel(name, 0.36, lambda axes, row: draw_waveform(axes, row, waveform, peak, color), color),
        Panel("kHz", 0.85, spectrogram),
    ]


def _lane_panels(inspected: Inspected, rows: list[Row], ruler: Ruler) -> list[Panel]:
    """Words, and the units of each stream."""
    panels = []
    if inspected.words:
        starts, ends = (
            np.array([getattr(word, edge) for word in inspected.words]) for edge in ("start", "end")
        )
        labels = tuple(ruler.fit(word.word, SMALL, _MAX_WORD) for word in inspected.words)
        panels.append(_boxes_panel("words", Boxes(starts, ends, labels), LIGHT.original, rows, ruler))
    for kind in Kind:
        lane = inspected.timeline.lane(kind)
        if lane is not None and len(lane):
            boxes = Boxes(lane.starts, lane.ends, tuple(map(str, lane.ids.tolist())))
            panels.append(_boxes_panel(STREAM_NAMES[kind], boxes, LIGHT.stream(kind), rows, ruler))
    return panels


def _boxes_panel(name: str, boxes: Boxes, color: str, rows: list[Row], ruler: Ruler) -> Panel:
    """A panel of boxes, drawn alike in all rows."""
    scale = rows[0].seconds_per_inch
    levels, turn = _LABELS.get(name, (2, True))
    style = choose_style(boxes, color, scale, ruler, levels, turn)
    height = max(style.levels * style.height + 0.03, 0.16)
    return Panel(
        name,
        height,
        lambda axes, row: draw_boxes(axes, boxes.cut(row.start, row.end), style, scale, ruler),
        color,
    )
