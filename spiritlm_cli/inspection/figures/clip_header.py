"""The lines above the panels of a clip's figure: what it is, how its times are known, and what the curves are."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from spiritlm_cli.console import counted
from spiritlm_cli.inspection.figures.clip_signals import F0Panel
from spiritlm_cli.inspection.figures.figure import (
    GRAY,
    LARGE,
    LINE_SPACING,
    MARGIN,
    NORMAL,
    WIDTH,
    Ruler,
    add_text,
)
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.inspection.timeline import STREAM_NAMES
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.tokens.sequence import TextSpan
from spiritlm_cli.tokens.units import Kind

_INNER = WIDTH - 2 * MARGIN
# Lines of the transcript, and of the text of a line without speech.
_TEXT_LINES, _ONLY_TEXT_LINES = 2, 12


@dataclass(frozen=True)
class HeaderLine:
    """A line of text. size: of the font, in points."""

    text: str
    size: float
    color: str = "black"
    bold: bool = False


@dataclass(frozen=True)
class ClipHeader:
    """The lines, from the top, and the F0 curves that a legend names."""

    lines: tuple[HeaderLine, ...]
    f0: F0Panel | None

    @classmethod
    def of(cls, inspected: Inspected, f0: F0Panel | None, ruler: Ruler) -> "ClipHeader":
        """The header of a clip or token line."""
        lines = [HeaderLine(ruler.fit(inspected.id, LARGE, _INNER, bold=True), LARGE, bold=True)]
        lines += (
            HeaderLine(line, NORMAL, GRAY) for line in ruler.wrap(describe(inspected), NORMAL, _INNER, 2)
        )
        if inspected.timeline.seconds > 0:
            text, most = ("" if inspected.words else inspected.text or ""), _TEXT_LINES
        else:
            text = " ".join(span.text for span in inspected.sequence.spans if isinstance(span, TextSpan))
            most = _ONLY_TEXT_LINES
        if text.strip():
            lines += (HeaderLine(line, NORMAL, LIGHT.text) for line in ruler.wrap(text, NORMAL, _INNER, most))
        return cls(tuple(lines), f0)

    @property
    def height(self) -> float:
        """Inches from the upper edge of the figure to the first row."""
        legend = LINE_SPACING * NORMAL + 0.02 if self.f0 else 0
        return MARGIN + sum(LINE_SPACING * line.size for line in self.lines) + legend + 0.08

    def draw(self, figure: Figure) -> None:
        """Draw the header at the top of a figure."""
        top = MARGIN
        for line in self.lines:
            weight = "bold" if line.bold else "normal"
            add_text(figure, MARGIN, top, line.text, fontsize=line.size, color=line.color, fontweight=weight)
            top += LINE_SPACING * line.size
        if self.f0:
            handles = [
                Line2D([], [], color=curve.color, linewidth=curve.width, linestyle=curve.dashes)
                for curve in self.f0.curves
            ]
            labels = [f"F0 of the {curve.name}" for curve in self.f0.curves]
            figure.legend(
                handles,
                labels,
                loc="upper left",
                bbox_to_anchor=(MARGIN / WIDTH, 1 - top / figure.get_figheight()),
                ncols=len(labels),
                fontsize=NORMAL,
                frameon=False,
                borderpad=0,
                borderaxespad=0,
                handlelength=2,
                handletextpad=0.5,
                columnspacing=1.5,
            )


def _peak(waveform: Waveform) -> str:
    peak = float(np.abs(waveform.samples).max(initial=0))
    return f"{20 * np.log10(peak):.1f} dBFS" if peak > 0 else "0"


def describe(inspected: Inspected) -> str:
    """Duration, peak level, number of units and of runs, how the times of units are known, and the checkpoint."""
    timeline = inspected.timeline
    if not timeline.seconds:
        if any(isinstance(span, TextSpan) for span in inspected.sequence.spans):
            return "text without speech"
        return "empty: neither speech nor text"
    parts = [f"{inspected.seconds:.2f} s"]
    if inspected.original:
        # The waveform fills its panel, however quiet it is.
        parts.append(f"peak {_peak(inspected.original.waveform)}")
    for lane in timeline.lanes:
        units, runs = int(lane.counts.sum()), len(lane)
        name = counted(units, f"{STREAM_NAMES[lane.kind]} unit")
        parts.append(f"{name} in {counted(runs, 'run')}" if runs != units else name)
        if hidden := int((lane.ends <= lane.starts).sum()):
            parts[-1] += f" ({hidden} without duration, not shown)"
    if timeline.lane(Kind.HUBERT):
        predicted = "durations predicted by the vocoder"
        parts.append(predicted if timeline.predicted else "durations exact")
    if inspected.model:
        parts.append(f"checkpoint {inspected.model}")
    return " · ".join(parts)
