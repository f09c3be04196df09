import numpy as np
import pytest

from spiritlm_cli.inspection.bars import Bar, chart, grid, histogram_bars
from spiritlm_cli.inspection.histogram import Histogram


def lines(bars: list[Bar], total: int, width: int) -> list[str]:
    return [text.plain for text in chart(bars, total, width)]


def test_chart() -> None:
    # the figures take 24 columns, and the bar of the largest count the other 16
    bars = [Bar("[Hu12]", 1000), Bar("[Hu3]", 500), Bar("[Hu4]", 94), Bar("[Hu5]", 1), Bar("[Hu6]", 0)]
    assert lines(bars, 2000, 40) == [
        "[Hu12]  1,000   50.0 %  ━━━━━━━━━━━━━━━━",
        " [Hu3]    500   25.0 %  ━━━━━━━━",
        " [Hu4]     94    4.7 %  ━╸",
        " [Hu5]      1    0.1 %  ╸",
        " [Hu6]      0    0.0 %",
    ]


def test_chart_with_notes() -> None:
    assert lines([Bar("a", 2, "40 ms"), Bar("b", 1, "120 ms")], 3, 31) == [
        "a  2   66.7 %   40 ms  ━━━━━━━━",
        "b  1   33.3 %  120 ms  ━━━━",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_chart_fits(width: int) -> None:
    shown = lines([Bar("[Hu499]" * 3, 10**6), Bar("x", 1)], 10**6, width)
    assert len(shown[0]) <= width
    assert "━━━━━━" in shown[0]


def test_chart_with_labels_above_the_bars() -> None:
    assert lines([Bar("[Hu499][Hu28]", 4), Bar("[Hu1]", 1)], 5, 24) == [
        "[Hu499][Hu28]",
        "  4   80.0 %  ━━━━━━━━━━",
        "[Hu1]",
        "  1   20.0 %  ━━╸",
    ]


def test_chart_of_nothing() -> None:
    assert lines([], 0, 60) == []
    assert lines([Bar("a", 0)], 0, 60) == ["a  0    0.0 %"]


def test_histogram_bars() -> None:
    histogram = Histogram()
    histogram.add([1, 1, 4, 7])
    # frames of 40 ms: 4 and 5 are one bin, 6 and 7 the next
    bars = histogram_bars(histogram, 40, step=1)
    assert bars == [Bar("40", 2), Bar("80", 0), Bar("120", 0), Bar("160–200", 1), Bar("240–280", 1)]
    assert [bar.label for bar in histogram_bars(histogram)] == ["1–2", "2–3", "3–4", "4–6", "6–8"]


def test_grid() -> None:
    counts = np.array([0, 1, 64, 2, *[0] * 7, 16])
    # 1 + 6 × log(count) / log(64): the count 2 has the height 2, and 16 the height 5
    assert [row.plain for row in grid(counts, 16)] == [
        "· never  ▁ once  ▇ 64 times; one character for each id",
        " 0  ·▁▇▂······",
        "10  ·▅",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_grid_fits(width: int) -> None:
    _, *rows = grid(np.arange(500), width)
    assert {len(row.plain) for row in rows[:-1]} == {width // 10 * 10 - 10 + 5 if width < 120 else 105}
    assert sum(len(row.plain) - 5 for row in rows) == 500


def test_grid_of_counts_that_are_all_equal() -> None:
    assert [row.plain for row in grid(np.array([1, 0]), 60)] == [
        "· never  ▇ once; one character for each id",
        "0  ▇·",
    ]
    assert [row.plain for row in grid(np.zeros(2, dtype=np.int64), 60)] == [
        "· never; one character for each id",
        "0  ··",
    ]
    assert next(grid(np.array([2, 2]), 60)).plain == "· never  ▁ once  ▇ 2 times; one character for each id"


def test_grid_of_very_many_ids() -> None:
    counts = np.zeros(1 << 20, dtype=np.int64)
    counts[-1] = 7
    legend, *rows = grid(counts, 80)
    assert "one character for 1049 ids" in legend.plain
    assert sum(row.plain.count("·") for row in rows) == 999
    assert rows[-1].plain.endswith("▇")
