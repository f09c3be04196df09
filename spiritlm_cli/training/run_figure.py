"""The figure of a training: losses, and below them learning rate, gradient norm, speed and what else it measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray

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
    figure_style,
    new_figure,
    write_figure,
)
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.training.curves import Curve, Curves, smooth

_COLORS = (LIGHT.phonetic, LIGHT.pitch, LIGHT.style, LIGHT.resynthesis, LIGHT.original, "#b8860b", "#c2185b")
# Inches: the panel of the losses with its legend, the other panels, and the space around them.
_LOSS_HEIGHT, _LEGEND, _HEIGHT, _LEFT, _ABOVE, _BELOW = 2.4, 1.35, 1.1, 0.5, 0.24, 0.3
_STEPS = (1, 2, 2.5, 5, 10)
_VALID = "valid_"


@dataclass(frozen=True)
class Panel:
    """Axes with some curves.

    log: whether the axis is logarithmic if the highest value is more than ten times the lowest.
    from_zero: whether a linear axis begins at 0. percent: whether the values are fractions. smooth: whether a moving
    average is drawn.
    """

    title: str
    names: tuple[str, ...]
    log: bool = False
    from_zero: bool = False
    percent: bool = False
    smooth: bool = True


# Every other value is a loss.
_PANELS = (
    Panel("share", ("accuracy", "masked", "attended", "reward_accuracy"), from_zero=True, percent=True),
    Panel("reward", ("reward_margin", "reward_chosen", "reward_rejected")),
    Panel("held-out word error rate", ("valid_wer",), from_zero=True, percent=True),
    Panel("error of F0, Hz", ("f0_error_hz",), log=True),
    Panel("codes in a batch", ("codes_in_batch",), from_zero=True),
    Panel("learning rate", ("learning_rate",), from_zero=True, smooth=False),
    Panel("norm of the gradient", ("gradient_norm",), log=True),
    Panel("tokens per second", ("tokens_per_second",), from_zero=True),
    Panel("pairs per second", ("pairs_per_second",), from_zero=True),
    Panel("seconds per second", ("seconds_per_second",), from_zero=True),
)
# Amounts of data so far, which grow with the steps.
_HIDDEN = ("tokens", "pairs", "seconds")


def plot_run(curves: Curves, title: str, path: Path) -> None:
    """Write the figure of a training as PNG. Raises OSError if the file can't be written."""
    with figure_style():
        write_figure(run_figure(curves, title), path)


def run_figure(curves: Curves, title: str) -> Figure:
    """Draw the curves of a training, 1200 pixels wide: held-out values as dots, the others with their moving average.

    title: is followed by the number of steps. At least one step must be measured.
    """
    names = list(curves.by_name)
    claimed = {name for panel in _PANELS for name in panel.names}
    losses = Panel("loss", tuple(name for name in names if name not in claimed | set(_HIDDEN)), log=True)
    panels = [panel for panel in _PANELS if any(name in curves.by_name for name in panel.names)]
    header = MARGIN + LINE_SPACING * LARGE + 0.06
    row = _ABOVE + _HEIGHT + _BELOW
    columns = 4 if len(panels) == 4 else 3
    rows = -(-len(panels) // columns)
    losses_height = _ABOVE + _LOSS_HEIGHT + _BELOW if losses.names else 0.0
    figure = new_figure(header + losses_height + row * rows + MARGIN)
    add_text(figure, MARGIN, MARGIN, f"{title}: {curves.last:,} steps", fontsize=LARGE, fontweight="bold")
    if losses.names:
        width = WIDTH - _LEFT - _LEGEND - MARGIN
        axes = add_axes(figure, losses.title, _LEFT, header + _ABOVE, width, _LOSS_HEIGHT)
        _draw(axes, losses, curves, _LEGEND)
    width = (WIDTH - MARGIN) / columns - _LEFT
    for index, panel in enumerate(panels):
        left = _LEFT + index % columns * (width + _LEFT)
        top = header + losses_height + index // columns * row + _ABOVE
        _draw(add_axes(figure, panel.title, left, top, width, _HEIGHT), panel, curves)
    return figure


def _draw(axes: Axes, panel: Panel, curves: Curves, legend: float = 0.0) -> None:
    """Draw the curves of a panel. legend: inches to the right of it for the names and last values."""
    axes.set_title(panel.title, fontsize=NORMAL, fontweight="bold", loc="left", pad=4)
    axes.spines[["top", "right"]].set_visible(False)
    shown = {name: curves.by_name[name] for name in panel.names if name in curves.by_name}
    is_log = _is_logarithmic(panel, list(shown.values()))
    colors = _colors(list(shown))
    drawn = [_draw_curve(axes, name, shown[name], colors[name], panel, is_log) for name in shown]
    _set_limits(axes, panel, np.concatenate(drawn), is_log)
    for name, curve in shown.items():
        _mark_spikes(axes, curve, colors[name])
    axes.set_xlim(0, max(1, curves.last))
    axes.xaxis.set_major_locator(MaxNLocator(8 if legend else 4, integer=True, steps=_STEPS))
    axes.set_xlabel("step", fontsize=SMALL, labelpad=1)
    axes.grid(color=GRAY, alpha=0.15, linewidth=0.4)
    if legend or len(shown) > 1:
        right = (1.01, 1.02) if legend else None
        axes.legend(
            loc="upper left" if legend else "best", bbox_to_anchor=right, fontsize=NORMAL if legend else SMALL,
            frameon=False, handlelength=1.2, borderpad=0, labelspacing=0.35,
        )  # fmt: skip


def _is_logarithmic(panel: Panel, curves: Sequence[Curve]) -> bool:
    values = [curve.points()[1] for curve in curves]
    if not panel.log or min(map(np.min, values)) <= 0:
        return False
    # single steps that are far from the others do not count
    low, high = (pick([np.quantile(v, q) for v in values]) for pick, q in ((min, 0.05), (max, 0.95)))
    return bool(high > 10 * low)


def _colors(names: Sequence[str]) -> Mapping[str, str]:
    """The color of each curve: a held-out value has that of the value that it belongs to."""
    bases = list(dict.fromkeys(name.removeprefix(_VALID) for name in names))
    return {name: _COLORS[bases.index(name.removeprefix(_VALID)) % len(_COLORS)] for name in names}


def _draw_curve(
    axes: Axes, name: str, curve: Curve, color: str, panel: Panel, is_log: bool
) -> NDArray[np.float64]:
    """Draw a curve. Returns the values that the axis must have room for."""
    steps, values = curve.points()
    number = "{:.1%}" if panel.percent else "{:.4g}"
    if name.startswith(_VALID):
        label = f"held-out {name.removeprefix(_VALID)} {number.format(values[-1])}"
        axes.plot(
            steps, values, color=color, linewidth=0.8, linestyle="--", marker="o", markersize=2.5, label=label
        )
        return values
    if not panel.smooth:
        axes.plot(steps, values, color=color, linewidth=1.2, label=name)
        return values
    smoothed = np.exp(smooth(np.log(values))) if is_log else smooth(values)
    axes.plot(steps, values, color=color, linewidth=0.4, alpha=0.3)
    axes.plot(steps, smoothed, color=color, linewidth=1.2, label=f"{name} {number.format(smoothed[-1])}")
    return np.concatenate([smoothed, _without_spikes(values, is_log)])


def _without_spikes(values: NDArray[np.float64], is_log: bool) -> NDArray[np.float64]:
    """The values without single steps that are far from the others, for which an axis has no room."""
    scaled = np.log(values) if is_log else values
    low, high = np.quantile(scaled, (0.05, 0.95))
    # of a normal distribution, these are 4.9 standard deviations
    room = high - low
    near: NDArray[np.float64] = values[(scaled >= low - room) & (scaled <= high + room)]
    return near


def _mark_spikes(axes: Axes, curve: Curve, color: str) -> None:
    """Draw a triangle at the edge of the axes for each value that is beyond it."""
    steps, values = curve.points()
    low, high = axes.get_ylim()
    for beyond, edge, marker in ((values > high, 1.0, "^"), (values < low, 0.0, "v")):
        if beyond.any():
            axes.plot(
                steps[beyond], np.full(beyond.sum(), edge), color=color, linestyle="none", marker=marker,
                markersize=3, clip_on=False, transform=axes.get_xaxis_transform(),
            )  # fmt: skip


def _set_limits(axes: Axes, panel: Panel, shown: NDArray[np.float64], is_log: bool) -> None:
    low, high = float(shown.min()), float(shown.max())
    axes.set_yscale("log" if is_log else "linear")
    percent = PercentFormatter(1.0)
    axes.yaxis.set_major_formatter(percent if panel.percent else FuncFormatter(lambda value, _: f"{value:g}"))
    if is_log:
        axes.set_ylim(low / 1.15, high * 1.15)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
        axes.yaxis.set_minor_formatter(NullFormatter())
        return
    low = min(0.0, low) if panel.from_zero else low
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_ylim(low if panel.from_zero and low == 0 else low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
