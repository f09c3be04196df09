"""The figures of `evaluate similarity`: similarity over layers, and all pieces and units of one sentence."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from spiritlm_cli.evaluation.estimate import Estimate
from spiritlm_cli.evaluation.similarity import LayerEstimates, SimilarityMatrix
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

_COLORS = (LIGHT.phonetic, LIGHT.pitch, LIGHT.style, LIGHT.resynthesis, LIGHT.original, "#b8860b", "#c2185b")
_TITLE = "Similarity of spoken and written words"
# Inches: the panels and the space around them.
_HEIGHT, _LEFT, _ABOVE, _BELOW = 2.4, 0.5, 0.24, 0.34
# Inches of a row of a matrix, and of the names at its left and below it.
_ROW, _NAMES, _WORDS = 0.14, 0.9, 0.75


def similarity_figure(runs: Mapping[str, LayerEstimates]) -> Figure:
    """Draw the similarity of a word with itself and with other words, and the gap, over layers. 1200 pixels wide.

    runs: by their names.
    """
    ruler = Ruler()
    top = MARGIN + LINE_SPACING * LARGE + 0.06 + _ABOVE
    legend = LINE_SPACING * NORMAL * len(runs)
    figure = new_figure(top + _HEIGHT + _BELOW + legend + MARGIN)
    add_text(figure, MARGIN, MARGIN, _TITLE, fontsize=LARGE, fontweight="bold")
    width = (WIDTH - MARGIN) / 2 - _LEFT
    left, right = (
        add_axes(figure, label, _LEFT + index * (_LEFT + width), top, width, _HEIGHT)
        for index, label in enumerate(("similarity", "gap"))
    )
    colors = [_COLORS[index % len(_COLORS)] for index in range(len(runs))]
    for run, color in zip(runs.values(), colors, strict=True):
        _draw_curve(left, run.same, color, "-")
        _draw_curve(left, run.other, color, ":")
        _draw_curve(right, run.gap, color, "-")
    left.set_title("the same word (line) and other words (dots)", fontsize=NORMAL, loc="left", pad=4)
    right.set_title("the same word minus other words", fontsize=NORMAL, loc="left", pad=4)
    right.axhline(0, color=GRAY, linewidth=0.5)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("layer (0: embeddings)", fontsize=SMALL, labelpad=1)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        axes.grid(color=GRAY, alpha=0.15, linewidth=0.4)
    for index, (name, color) in enumerate(zip(runs, colors, strict=True)):
        text = ruler.fit(name, NORMAL, WIDTH - _LEFT - MARGIN)
        below = top + _HEIGHT + _BELOW + LINE_SPACING * NORMAL * index
        add_text(figure, _LEFT, below, text, fontsize=NORMAL, color=color, fontweight="bold")
    return figure


def matrix_figure(matrix: SimilarityMatrix, title: str) -> Figure:
    """Draw the cosines of one sentence as colors: a row for each piece, a column for each unit. 1200 pixels wide.

    Each word has a frame around the cells of its own pieces and units, and its name below its units.
    """
    ruler = Ruler()
    rows, columns = matrix.cosines.shape
    top = MARGIN + LINE_SPACING * LARGE + 0.1
    width, height = WIDTH - _NAMES - 0.75, rows * _ROW
    figure = new_figure(top + height + _WORDS + MARGIN)
    title = ruler.fit(title, LARGE, WIDTH - 2 * MARGIN, bold=True)
    add_text(figure, MARGIN, MARGIN, title, fontsize=LARGE, fontweight="bold")
    axes = add_axes(figure, "matrix", _NAMES, top, width, height)
    image = axes.imshow(matrix.cosines, aspect="auto", cmap="viridis", interpolation="nearest")
    names = [ruler.fit(piece.replace(" ", "▁"), SMALL, _NAMES - MARGIN) for piece in matrix.pieces]
    axes.set_yticks(range(rows), names)
    middles = [float(np.mean(word.speech)) for word in matrix.words]
    axes.set_xticks(middles, [ruler.fit(word.word, SMALL, _WORDS) for word in matrix.words], rotation=90)
    for word in matrix.words:
        _frame(axes, word.text, word.speech)
    axes.set_xlim(-0.5, columns - 0.5)
    bar = add_axes(figure, "cosine", _NAMES + width + 0.15, top, 0.12, height)
    figure.colorbar(image, cax=bar)
    bar.set_title("cosine", fontsize=SMALL, pad=3)
    return figure


def _draw_curve(axes: Axes, estimates: Sequence[Estimate], color: str, style: str) -> None:
    """Draw values over layers, and their intervals as a band."""
    layers = range(len(estimates))
    values = [estimate.value for estimate in estimates]
    axes.plot(layers, values, color=color, linewidth=1.2, linestyle=style, marker="o", markersize=2)
    bounds = [(estimate.low, estimate.high) for estimate in estimates]
    low, high = (
        [value if bound is None else bound for value, bound in zip(values, side, strict=True)]
        for side in zip(*bounds, strict=True)
    )
    axes.fill_between(layers, low, high, color=color, alpha=0.15, linewidth=0)


def _frame(axes: Axes, pieces: Sequence[int], units: Sequence[int]) -> None:
    """Draw a rectangle around the cells of a word."""
    left, top = min(units) - 0.5, min(pieces) - 0.5
    width, height = max(units) - min(units) + 1, max(pieces) - min(pieces) + 1
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor="#ffffff", linewidth=1.2))
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor="#c2185b", linewidth=0.7))
