"""What all figures share: size, style, texts that fit, and files that are the same for the same figure."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from spiritlm_cli.errors import OptionError
from spiritlm_cli.files import atomic_path
from spiritlm_cli.inspection.wrapping import printable_line

# Inches and dots per inch: 1200 pixels.
WIDTH, DPI = 8.0, 150
# Points.
SMALL, NORMAL, LARGE = 6.5, 7.5, 10.0
# Inches from one line of text to the next, for each point of the font.
LINE_SPACING = 1.35 / 72
GRAY = "#555555"
# Inches around a figure.
MARGIN = 0.1
SUFFIXES = (".png", ".svg")

_STYLE = {
    "axes.linewidth": 0.5,
    "axes.unicode_minus": False,
    "font.size": NORMAL,
    "svg.hashsalt": "spiritlm",
    "text.parse_math": False,  # an id may have two dollar signs
    "xtick.labelsize": SMALL,
    "xtick.major.pad": 2,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.5,
    "ytick.labelsize": SMALL,
    "ytick.major.pad": 2,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.5,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw and write figures inside the block: as this package draws them, whatever `matplotlibrc` the user has.

    Characters that the font does not have are drawn as boxes, without a warning for each.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        warnings.filterwarnings("ignore", message="Glyph")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def new_figure(height: float) -> Figure:
    """An empty figure of 1200 pixels by `height` inches, which draws with Agg."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def add_axes(figure: Figure, label: str, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes to a figure. left, top: inches from the left and the upper edge. width, height: inches."""
    across, down = figure.get_size_inches()
    box = (left / across, 1 - (top + height) / down, width / across, height / down)
    return figure.add_axes(box, label=label)


def add_text(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Add a text whose upper left corner is `left` and `top` inches from that of the figure."""
    across, down = figure.get_size_inches()
    figure.text(left / across, 1 - top / down, text, verticalalignment="top", **style)


def check_suffix(path: Path) -> None:
    """Raise OptionError unless the name of a file ends with .png or .svg."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"{path}: a plot is a .png or a .svg file", "--plot")


def write_figure(figure: Figure, path: Path) -> None:
    """Write a PNG or SVG, by the suffix of `path`. It has no date and no versions, so the same figure is the same file.

    Raises OSError if the file can't be written.
    """
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".svg":
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
        else:
            figure.savefig(
                temporary, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True}
            )


class Ruler:
    """Measures texts in inches, and cuts or wraps those that are too wide."""

    def __init__(self) -> None:
        self._renderer = RendererAgg(1, 1, DPI)

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """Width of one line of text. size: of the font, in points."""
        font = FontProperties(size=size, weight="bold" if bold else "normal")
        return float(self._renderer.get_text_width_height_descent(text, font, ismath=False)[0]) / DPI

    def fit(self, text: str, size: float, width: float, bold: bool = False) -> str:
        """Text for one line, cut to `width` inches; an ellipsis says so."""
        text = printable_line(text[:1000])
        if self.width(text, size, bold) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(f"{text[:middle]}…", size, bold) <= width:
                low = middle
            else:
                high = middle - 1
        return f"{text[:low].rstrip()}…"

    def wrap(self, text: str, size: float, width: float, lines: int) -> list[str]:
        """Text in at most `lines` lines of at most `width` inches, broken at spaces; an ellipsis says what is cut."""
        wrapped = [""]
        for word in printable_line(text[:5000]).split(" "):
            longer = f"{wrapped[-1]} {word}".lstrip()
            if self.width(longer, size) <= width or not wrapped[-1]:
                wrapped[-1] = longer
            elif len(wrapped) < lines:
                wrapped.append(word)
            else:
                # Longer than any line, so that `fit` cuts it and adds the ellipsis.
                wrapped[-1] = self.fit(f"{longer} {'x' * 1000}", size, width)
                break
        return [self.fit(line, size, width) for line in wrapped]
