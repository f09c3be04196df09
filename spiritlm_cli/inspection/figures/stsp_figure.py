"""The figure of `evaluate stsp`: accuracy by direction, and what was predicted of each sentiment."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spiritlm_cli.evaluation.result import EvaluationResult, ResultRow
from spiritlm_cli.evaluation.stsp_data import SENTIMENTS
from spiritlm_cli.inspection.figures.figure import (
    GRAY,
    LARGE,
    LINE_SPACING,
    MARGIN,
    NORMAL,
    SMALL,
    WIDTH,
    add_axes,
    add_text,
    new_figure,
)
from spiritlm_cli.inspection.palette import LIGHT

_TITLE = "Sentiment preserved from text (T) and speech (S)"
_CHANCE = 100 / len(SENTIMENTS)
# Inches: the panel of accuracies, a confusion matrix, and the space around them.
_BARS_WIDTH, _CELL, _LEFT, _GAP, _ABOVE, _BELOW = 3.0, 0.46, 0.4, 0.62, 0.24, 0.3


def stsp_figure(result: EvaluationResult) -> Figure:
    """Draw the accuracy of each direction beside published ones, and its confusion matrix. 1200 pixels wide."""
    rows = [row for row in result.rows if row.kind is None and row.name != "mean"]
    side = len(SENTIMENTS) * _CELL
    height = 2 * side + _ABOVE + _BELOW
    top = MARGIN + LINE_SPACING * LARGE + 0.06 + _ABOVE
    figure = new_figure(top + height + _BELOW + MARGIN)
    add_text(figure, MARGIN, MARGIN, _TITLE, fontsize=LARGE, fontweight="bold")
    _draw_accuracies(add_axes(figure, "accuracy", _LEFT, top, _BARS_WIDTH, height), rows)
    for index, row in enumerate(rows):
        left = _LEFT + _BARS_WIDTH + 0.9 + index % 2 * (side + _GAP)
        axes = add_axes(figure, row.name, left, top + index // 2 * (side + _ABOVE + _BELOW), side, side)
        _draw_confusion(axes, result, row.name)
        if index % 2 == 0:
            axes.set_ylabel("input", fontsize=SMALL, labelpad=1)
    note = "Lines: 95 % intervals. Matrices: percent of the continuations of a sentiment's inputs, by their label."
    add_text(figure, _LEFT, top + height + _BELOW, note, fontsize=SMALL, color=GRAY)
    assert figure.get_size_inches()[0] == WIDTH
    return figure


def _draw_accuracies(axes: Axes, rows: Sequence[ResultRow]) -> None:
    """Bars with their intervals, and the published accuracies as marks at their side."""
    for index, row in enumerate(rows):
        estimate = row.values["accuracy"]
        axes.bar(index, 100 * estimate.value, 0.5, color=LIGHT.phonetic, alpha=0.85)
        if estimate.low is not None and estimate.high is not None:
            axes.plot(
                [index, index], [100 * estimate.low, 100 * estimate.high], color=LIGHT.text, linewidth=1
            )
        for number, one in enumerate(row.published):
            mark = ("o", "s", "^")[number % 3]
            axes.plot(
                index + 0.36, one.values["accuracy"], mark, color=LIGHT.pitch, markersize=4,
                label=f"published: {one.what}" if not index else None,
            )  # fmt: skip
    axes.axhline(_CHANCE, color=GRAY, linewidth=0.7, linestyle=":", label="chance")
    axes.set_xticks(range(len(rows)), [row.name for row in rows], fontsize=NORMAL)
    axes.set_xlim(-0.6, len(rows) - 0.3)
    axes.set_ylim(0, 100)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("accuracy, %", fontsize=NORMAL, loc="left", pad=4)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper right")


def _draw_confusion(axes: Axes, result: EvaluationResult, name: str) -> None:
    """A row for each sentiment of inputs, a column for each predicted sentiment; cells are percentages of a row."""
    shares = np.full((len(SENTIMENTS), len(SENTIMENTS)), np.nan)
    for row in result.rows:
        for line, reference in enumerate(SENTIMENTS):
            if (row.kind, row.name) == ("reference", f"{name} {reference}"):
                shares[line] = [100 * row.values[f"as {label}"].value for label in SENTIMENTS]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for line, column in np.argwhere(~np.isnan(shares)):
        value = shares[line, column]
        color = "white" if value > 60 else LIGHT.text
        axes.text(column, line, f"{value:.0f}", ha="center", va="center", fontsize=NORMAL, color=color)
    axes.set_xticks(range(len(SENTIMENTS)), SENTIMENTS)
    axes.set_yticks(range(len(SENTIMENTS)), SENTIMENTS)
    axes.set_title(f"{name}: predicted", fontsize=NORMAL, loc="left", pad=4)
