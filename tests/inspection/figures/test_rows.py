from itertools import pairwise

import pytest

from spiritlm_cli.inspection.figures.rows import MAX_ROW_SECONDS, ROW_WIDTH, Row, split_rows


@pytest.mark.parametrize("seconds", [0.08, 1.0, 6.99, 7.0])
def test_split_rows_of_a_short_clip_is_one_row(seconds):
    assert split_rows(seconds) == [Row(0, seconds)]


@pytest.mark.parametrize("seconds", [7.01, 9.12, 14, 30, 60.0, 299.99])
def test_split_rows_covers_the_clip_in_whole_units(seconds):
    rows = split_rows(seconds)
    assert rows[0].start == 0
    assert rows[-1].start < seconds <= rows[-1].end + 1e-9
    assert [row.is_last for row in rows] == [False] * (len(rows) - 1) + [True]
    for row, following in pairwise(rows):
        assert row.end == following.start
    for row in rows:
        assert row.end - row.start <= MAX_ROW_SECONDS + 0.04
        assert row.start * 25 == pytest.approx(round(row.start * 25))


def test_row_scale():
    assert Row(2, 7).seconds_per_inch * ROW_WIDTH == pytest.approx(5)


@pytest.mark.parametrize(("seconds", "tick"), [(0.08, 0.02), (1, 0.1), (2, 0.2), (5, 0.5), (7, 1)])
def test_row_tick_seconds(seconds, tick):
    assert Row(0, seconds).tick_seconds == tick
