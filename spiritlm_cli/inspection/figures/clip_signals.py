"""The panels of a clip's figure that are computed from sound: waveform, spectrogram and F0."""

from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from spiritlm_cli.inspection.figures.figure import DPI
from spiritlm_cli.inspection.figures.rows import ROW_WIDTH, Row
from spiritlm_cli.inspection.figures.spectrogram import DYNAMIC_RANGE, spectrogram_db
from spiritlm_cli.inspection.inspected import F0_RATE, Inspected, Sound
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.manifests.clip import FloatArray, Waveform

# Of the spectrogram: a file with fewer levels is smaller, and an eye sees no more.
_GRAYS = 32
_COLUMNS = round(ROW_WIDTH * DPI)


def draw_waveform(axes: Axes, row: Row, waveform: Waveform, peak: float, color: str) -> None:
    """Draw the lowest and highest sample of each pixel. peak: at the upper and lower edge."""
    first, last = (
        min(round(seconds * waveform.rate), len(waveform.samples)) for seconds in (row.start, row.end)
    )
    samples = waveform.samples[first:last]
    axes.set_ylim(-1.05 * peak, 1.05 * peak)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if len(samples):
        edges = np.unique(np.linspace(0, len(samples), _COLUMNS, endpoint=False).astype(np.int64))
        times = row.start + edges / waveform.rate
        lowest, highest = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
        axes.fill_between(times, lowest, highest, color=color, linewidth=0.4)


def draw_spectrogram(axes: Axes, row: Row, waveform: Waveform, loudest: float) -> None:
    """Draw power in dB up to 8 kHz. loudest: dB that are black; what is 70 dB below is white."""
    end = min(row.end, waveform.seconds)
    if end > row.start:
        decibels = spectrogram_db(waveform, row.seconds_per_inch / DPI, row.start, end)
        axes.imshow(
            decibels,
            cmap=matplotlib.colormaps["gray_r"].resampled(_GRAYS),
            vmin=loudest - DYNAMIC_RANGE,
            vmax=loudest,
            origin="lower",
            aspect="auto",
            extent=(row.start, end, 0, waveform.rate / 2000),
            interpolation="bilinear",
            interpolation_stage="data",
        )
    axes.set_xlim(row.start, row.end)
    axes.set_ylim(0, 8)
    axes.set_yticks([2, 4, 6])


def loudest_db(waveform: Waveform) -> float:
    """The level of the loudest parts of a waveform, for `draw_spectrogram`: 99.9 % of its spectrogram is below."""
    seconds_per_column = max(0.01, waveform.seconds / 3000)
    level = float(np.percentile(spectrogram_db(waveform, seconds_per_column), 99.9))
    return max(level, -100.0)


@dataclass(frozen=True, eq=False)
class F0Curve:
    """F0 over time in one color. f0: (frames,) float32 at 200 Hz, NaN where unvoiced."""

    name: str
    f0: FloatArray
    color: str
    width: float
    dashes: str | tuple[int, tuple[float, ...]] = "-"


@dataclass(frozen=True, eq=False)
class F0Panel:
    """Curves of F0, and the limits of their axis, the same for all rows.

    relative: whether the curves are Hz above the mean, on a linear axis, rather than Hz, on a logarithmic one.
    """

    curves: tuple[F0Curve, ...]
    low: float
    high: float
    relative: bool = False

    def draw(self, axes: Axes, row: Row) -> None:
        """Draw the curves of a row."""
        if not self.relative:
            axes.set_yscale("log", base=2)
        axes.set_ylim(self.low, self.high)
        ticks = _ticks(self.low, self.high, self.relative)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.grid(axis="y", color="#dddddd", linewidth=0.4)
        first, last = max(int(row.start * F0_RATE) - 1, 0), int(row.end * F0_RATE) + 2
        for curve in self.curves:
            f0 = curve.f0[first:last]
            times = (first + np.arange(len(f0))) / F0_RATE
            axes.plot(
                times, f0, color=curve.color, linewidth=curve.width, linestyle=curve.dashes, label=curve.name
            )


def f0_panel(inspected: Inspected) -> F0Panel | None:
    """The F0 of the original, of the pitch units and of the resynthesis; None if none is voiced or known."""
    curves = []
    if (f0 := voiced_f0(inspected.original)) is not None:
        curves.append(F0Curve("original", f0, LIGHT.original, 1.6))
    resynthesis = voiced_f0(inspected.resynthesis)
    if resynthesis is not None:
        curves.append(F0Curve("resynthesis", resynthesis, LIGHT.resynthesis, 0.9, (0, (2.5, 1.2))))
    rebuilt = inspected.rebuilt_f0
    relative = False
    if rebuilt is not None and not np.isnan(rebuilt.f0).all():
        f0, name = rebuilt.f0, "pitch units"
        if rebuilt.is_relative:
            f0 = f0 - np.nanmean(f0)
            relative = resynthesis is None
            if resynthesis is not None:
                f0, name = f0 + np.nanmean(resynthesis), "pitch units, at the mean of the resynthesis"
        curves.append(F0Curve(name, f0, LIGHT.pitch, 1.1))
    if not curves:
        return None
    values = np.concatenate([curve.f0 for curve in curves])
    values = values[~np.isnan(values) & (relative | (values > 0))]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if relative:
        return F0Panel(tuple(curves), low - 10, high + 10, relative)
    return F0Panel(tuple(curves), max(low / 1.1, 20), max(high * 1.1, 1.5 * low), relative)


def voiced_f0(sound: Sound | None) -> FloatArray | None:
    """F0 of a sound with NaN where it is unvoiced; None if it was not tracked or nothing is voiced."""
    if sound is None or sound.f0 is None or not sound.f0.voiced.any():
        return None
    voiced: NDArray[np.float32] = np.where(sound.f0.voiced, sound.f0.f0, np.float32(np.nan))
    return voiced


def _ticks(low: float, high: float, relative: bool) -> list[float]:
    """Values of a F0 axis that are labeled: about three."""
    if relative:
        step = next(step for step in (10, 20, 50, 100, 200, 500, 1e9) if (high - low) / step <= 4)
        return [index * step for index in range(int(np.ceil(low / step)), int(high // step) + 1)]
    values = [20, 30, 50, 70, 100, 150, 200, 300, 400, 600, 800, 1100]
    inside = [value for value in values if low * 1.05 <= value <= high / 1.05]
    step = max(1, round(len(inside) / 3.5))
    return [float(value) for value in inside[::step]]
