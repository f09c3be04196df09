"""Boxes with labels along a time axis, such as the units of a stream."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from numpy.typing import NDArray

from spiritlm_cli.inspection.figures.figure import SMALL, Ruler

# Opacity of the fill of even and odd boxes, which tells adjacent ones apart where they are too narrow for an edge.
_FILLS = (0.13, 0.28)
# Inches: the height of the digits of a label, and the least space between two labels.
_DIGIT_HEIGHT, _SPACE = 0.73 * SMALL / 72, 0.016
LINE_HEIGHT = 1.3 * SMALL / 72


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes in time order. starts, ends: (boxes,) seconds. labels: one for each."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    labels: tuple[str, ...]

    def cut(self, start: float, end: float) -> "Boxes":
        """The boxes from `start` to `end` seconds. One that goes on before or after has its label in its longer part,
        the first of two halves, and parts of a second or more.

        Boxes without duration are left out.
        """
        first, last = np.maximum(self.starts, start), np.minimum(self.ends, end)
        inside = np.flatnonzero(last > first)
        rest = (self.ends - self.starts) - (last - first)
        shown = last - first > np.minimum(rest + np.where(self.starts < start, 1e-6, -1e-6), 1.0)
        labels = tuple(self.labels[index] if shown[index] else "" for index in inside.tolist())
        return Boxes(first[inside], last[inside], labels)


def place_labels(centers: NDArray[np.float64], widths: NDArray[np.float64], levels: int) -> NDArray[np.int64]:
    """Distribute labels over levels so that those of one level do not touch.

    centers: (labels,) ascending. widths: (labels,), with the space around them. Each label is placed at the first level
    where there is room. Returns (labels,): the level from 0, or -1 for a label for which there is no room.
    """
    placed = np.full(len(centers), -1, dtype=np.int64)
    taken = [-np.inf] * levels
    for index, (center, width) in enumerate(zip(centers, widths, strict=True)):
        for level in range(levels):
            if taken[level] <= center - width / 2:
                taken[level] = center + width / 2
                placed[index] = level
                break
    return placed


@dataclass(frozen=True)
class BoxStyle:
    """How the boxes of a panel are drawn.

    upright: labels are turned by 90°, so that they are as wide as a digit is high. levels: rows of labels. height: of a
    row, in inches.
    """

    color: str
    upright: bool
    levels: int
    height: float


def choose_style(
    boxes: Boxes, color: str, seconds_per_inch: float, ruler: Ruler, max_levels: int, turn: bool = True
) -> BoxStyle:
    """Choose how to draw boxes so that as many labels as possible fit: level, or upright if `turn` allows it, and in as
    few levels as that takes."""
    boxes = boxes.cut(-np.inf, np.inf)
    widths = np.array([ruler.width(label, SMALL) for label in boxes.labels], dtype=np.float64)
    longest = float(widths.max(initial=0.0))
    rooms = (boxes.ends - boxes.starts) / seconds_per_inch
    # Labels of equal length lie down together or stand up together, since mixed ones are hard to compare.
    upright = turn and bool((widths + 2 * _SPACE > rooms).mean() > 0.1) if len(rooms) else False
    if upright:
        widths = np.full(len(widths), _DIGIT_HEIGHT)
    centers = (boxes.starts + boxes.ends) / 2 / seconds_per_inch
    levels = next(
        (n for n in range(1, max_levels) if (place_labels(centers, widths + _SPACE, n) >= 0).all()),
        max_levels,
    )
    return BoxStyle(color, upright, levels, longest + 0.03 if upright else LINE_HEIGHT)


def draw_boxes(axes: Axes, boxes: Boxes, style: BoxStyle, seconds_per_inch: float, ruler: Ruler) -> None:
    """Draw boxes over the whole height of axes, and their labels. Labels for which there is no room are left out."""
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    corners = [
        [(start, 0), (start, 1), (end, 1), (end, 0)]
        for start, end in zip(boxes.starts, boxes.ends, strict=True)
    ]
    colors = [to_rgba(style.color, _FILLS[index % 2]) for index in range(len(corners))]
    axes.add_collection(PolyCollection(corners, facecolors=colors, edgecolors=style.color, linewidths=0.35))
    labeled = [index for index, label in enumerate(boxes.labels) if label]
    centers = ((boxes.starts + boxes.ends) / 2)[labeled]
    widths = np.array(
        [_DIGIT_HEIGHT if style.upright else ruler.width(boxes.labels[index], SMALL) for index in labeled]
    )
    places = place_labels(centers / seconds_per_inch, widths + _SPACE, style.levels)
    for index, center, level in zip(labeled, centers, places, strict=True):
        if level >= 0:
            axes.text(
                center,
                1 - (level + 0.5) / style.levels,
                boxes.labels[index],
                fontsize=SMALL,
                rotation=90 if style.upright else 0,
                horizontalalignment="center",
                verticalalignment="center_baseline" if not style.upright else "center",
            )
