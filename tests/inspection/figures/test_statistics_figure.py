import numpy as np
import pytest
from inspection_fixtures import clip, line
from matplotlib.colors import to_hex
from plot_fixtures import RULER, texts

from spiritlm_cli.inspection.bars import Bar
from spiritlm_cli.inspection.figures.figure import add_axes, new_figure
from spiritlm_cli.inspection.figures.statistics_figure import (
    describe_stream,
    draw_bars,
    draw_ranks,
    draw_use,
    statistics_figure,
)
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.inspection.statistics import UnitStatistics
from spiritlm_cli.tokens.units import Kind


@pytest.fixture
def statistics():
    found = UnitStatistics({Kind.HUBERT: 8})
    found.add(clip([5, 5, 7, 5, 2], [3, 4]))
    found.add(line("[TEXT]words[SPEECH][Hu5][Hu7]"))
    return found


@pytest.fixture
def axes():
    return add_axes(new_figure(2), "", 1, 0, 3, 1)


def test_describe_stream(statistics):
    # counts of the runs: 3, 2 and 1; 6 runs in 5 and 6 frames
    entropy = -sum(share * np.log2(share) for share in (1 / 2, 1 / 3, 1 / 6))
    assert describe_stream(statistics.streams[Kind.HUBERT]) == (
        f"runs: 6 · units used: 3 of 8 · entropy {entropy:.2f} bits · perplexity {2**entropy:.1f} · "
        f"{6 / 0.44:.1f} runs/s · {6 / 0.44 * entropy:.0f} bits/s"
    )
    assert describe_stream(statistics.streams[Kind.PITCH]).startswith("runs: 2 · units used: 2 · ")


def test_draw_ranks(axes, statistics):
    draw_ranks(axes, statistics.streams[Kind.HUBERT], LIGHT.phonetic)
    ranks, codebook = axes.lines
    assert ranks.get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert list(codebook.get_xdata()) == [8, 8]
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_draw_use(axes, statistics):
    draw_use(axes, statistics.streams[Kind.HUBERT], LIGHT.phonetic)
    [steps] = axes.patches
    assert steps.get_data().values.tolist() == [0, 0, 1, 0, 0, 3, 0, 2]
    [unused] = axes.collections
    assert [segment[0, 0] for segment in unused.get_segments()] == [0, 1, 3, 4, 6]
    assert axes.get_xlabel() == "id of the unit; a mark below 0: no run (5)"


def test_draw_use_of_an_unknown_codebook(axes, statistics):
    draw_use(axes, statistics.streams[Kind.PITCH], LIGHT.pitch)
    assert not axes.collections[0].get_segments()
    assert axes.get_xlabel() == "id of the unit"


def test_draw_bars(axes):
    bars = [Bar("40", 3), Bar("80", 0), Bar("160–200", 1)]
    draw_bars(axes, bars, LIGHT.pitch, "duration", "runs", RULER)
    assert [bar.get_height() for bar in axes.patches] == [3, 0, 1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["40", "80", "160"]
    assert to_hex(axes.patches[0].get_facecolor()) == LIGHT.pitch


def test_draw_bars_labels_those_with_room(axes):
    draw_bars(axes, [Bar(str(10**6 + i), 1) for i in range(40)], LIGHT.pitch, "", "", RULER)
    assert len(axes.patches) == 40
    assert 3 < len(axes.get_xticklabels()) < 10


def test_statistics_figure(statistics):
    figure = statistics_figure(statistics)
    assert figure.get_size_inches()[0] * figure.dpi == 1200
    names = [axes.get_label() for axes in figure.axes]
    assert names == [
        *(f"{name} {i}" for name in ("phonetic", "pitch") for i in range(3)),
        "inputs 0",
        "inputs 1",
    ]
    shown = texts(figure)
    assert shown[0] == "Statistics of units"
    assert shown[1].startswith("2 inputs (1 speech, 1 speech and text)")
    assert describe_stream(statistics.streams[Kind.HUBERT]) in shown
    seconds = [bar.get_height() for bar in figure.axes[-2].patches]
    assert sum(seconds) == 2
    assert all(0 <= axes.get_position().y0 < axes.get_position().y1 <= 1 for axes in figure.axes)


def test_statistics_figure_without_inputs():
    figure = statistics_figure(UnitStatistics())
    assert not figure.axes
    assert texts(figure)[1].startswith("0 inputs")
