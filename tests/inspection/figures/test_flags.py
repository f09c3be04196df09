import pytest
from plot_fixtures import RULER

from spiritlm_cli.inspection.figures.figure import add_axes, new_figure
from spiritlm_cli.inspection.figures.flags import MAX_LINES, draw_flags, place_flags
from spiritlm_cli.inspection.figures.rows import ROW_WIDTH, Row
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.inspection.timeline import TextMark

ROW = Row(0, 7.24)  # an inch is a second


def place(*marks, row=ROW):
    return place_flags(tuple(TextMark(*mark) for mark in marks), row, RULER)


def test_place_flags_side_by_side_and_below_each_other():
    first, second, third = place(("some words here", 0), ("more words", 0.5), ("end", 3)).flags
    assert (first.x, second.x, third.x) == (0, 0.5, 3)
    assert [flag.line for flag in (first, second, third)] == [0, 1, 0]
    assert first.left == 0


def test_place_flags_at_the_end_is_left_of_the_pole():
    [flag] = place(("the last words", 7.24)).flags
    assert flag.x == pytest.approx(ROW_WIDTH)
    assert flag.left + flag.width == pytest.approx(ROW_WIDTH)


def test_place_flags_between_rows_is_in_the_second():
    mark = ("words", 3.0)
    assert not place(mark, row=Row(0, 3, is_last=False)).flags
    assert len(place(mark, row=Row(3, 6, is_last=False)).flags) == 1


def test_place_flags_of_no_text():
    assert place() == place(("later", 8))
    assert place().height == 0


def test_place_flags_wraps_and_cuts_long_texts():
    [flag] = place(("word " * 1000, 1)).flags
    assert len(flag.lines) == MAX_LINES
    assert flag.lines[-1].endswith("…")
    assert flag.x + flag.width < ROW_WIDTH


def test_draw_flags():
    figure = new_figure(2)
    axes = add_axes(figure, "text", 0, 0, ROW_WIDTH, 2)
    draw_flags(axes, place(("$x$", 1)))
    assert [text.get_text() for text in axes.texts] == ["$x$"]
    [pole] = axes.lines
    assert pole.get_xdata() == pytest.approx([1, 1])
    assert pole.get_color() == axes.texts[0].get_color() == LIGHT.text
