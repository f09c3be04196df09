"""Flags at points of a time axis: the text spans of a sequence, where they stand in its speech."""

from dataclasses import dataclass

from matplotlib.axes import Axes

from spiritlm_cli.inspection.figures.boxes import LINE_HEIGHT
from spiritlm_cli.inspection.figures.figure import SMALL, Ruler
from spiritlm_cli.inspection.figures.rows import ROW_WIDTH, Row
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.inspection.timeline import TextMark

MAX_LINES = 6
# Inches.
_MIN_WIDTH, _MAX_WIDTH, _PADDING, _SPACE = 0.9, 2.6, 0.04, 0.06


@dataclass(frozen=True)
class Flag:
    """One text. x: inches from the left of the row to the pole. left, width: of the text, inches. line: its first line,
    from the top of the row."""

    x: float
    left: float
    width: float
    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Flags:
    """The flags of a row. height: inches that their texts take above the panels."""

    flags: tuple[Flag, ...]
    height: float


def place_flags(texts: tuple[TextMark, ...], row: Row, ruler: Ruler) -> Flags:
    """Place the texts of a row side by side, and below each other where they would touch.

    A text at the end of a row is in the next row, if there is one.
    """
    flags: list[Flag] = []
    for mark in texts:
        if not row.start <= mark.seconds < row.end and not (row.is_last and mark.seconds == row.end):
            continue
        x = (mark.seconds - row.start) / row.seconds_per_inch
        # At the right of its pole, or at the left where the row ends.
        room = ROW_WIDTH - x if ROW_WIDTH - x >= _MIN_WIDTH else x
        lines = ruler.wrap(mark.text, SMALL, min(room, _MAX_WIDTH) - 2 * _PADDING, MAX_LINES)
        width = max(ruler.width(line, SMALL) for line in lines) + 2 * _PADDING
        left = x if ROW_WIDTH - x >= _MIN_WIDTH else x - width
        line = 0
        for other in flags:
            if left < other.left + other.width + _SPACE and other.left < left + width + _SPACE:
                line = max(line, other.line + len(other.lines))
        flags.append(Flag(x, left, width, line, tuple(lines)))
    lines_in_all = max((flag.line + len(flag.lines) for flag in flags), default=0)
    return Flags(tuple(flags), lines_in_all * LINE_HEIGHT + 0.05 if flags else 0.0)


def draw_flags(axes: Axes, flags: Flags) -> None:
    """Draw flags over axes that cover the texts and all panels of the row."""
    height = axes.bbox.height / axes.figure.dpi
    axes.set_axis_off()
    axes.set_xlim(0, ROW_WIDTH)
    axes.set_ylim(height, 0)
    axes.set_zorder(10)
    for flag in flags.flags:
        top = flag.line * LINE_HEIGHT
        axes.plot([flag.x, flag.x], [top, height], color=LIGHT.text, linewidth=0.9, clip_on=False)
        axes.text(
            flag.left + _PADDING,
            top,
            "\n".join(flag.lines),
            fontsize=SMALL,
            color=LIGHT.text,
            verticalalignment="top",
            linespacing=1.05,
            # Poles of other flags end at the text.
            zorder=3,
            bbox={"facecolor": "white", "linewidth": 0, "pad": 0.5},
        )
