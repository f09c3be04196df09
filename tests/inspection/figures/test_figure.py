import io
import logging
import warnings

import matplotlib
import pytest
from plot_fixtures import RULER

from spiritlm_cli.errors import OptionError
from spiritlm_cli.inspection.figures.figure import (
    DPI,
    add_axes,
    add_text,
    check_suffix,
    figure_style,
    new_figure,
    write_figure,
)


def test_ruler_width():
    assert RULER.width("", 7) == 0
    assert RULER.width("10", 7) == pytest.approx(2 * RULER.width("1", 7), abs=2 / DPI)
    # the digits of DejaVu Sans are 0.636 em wide
    assert RULER.width("0" * 100, 7) == pytest.approx(63.6 * 7 / 72, rel=0.1)
    assert RULER.width("words", 7, bold=True) > RULER.width("words", 7)


def test_ruler_fit():
    assert RULER.fit("short", 7, 1) == "short"
    cut = RULER.fit("a long text " * 1000, 7, 1)
    assert cut.startswith("a long")
    assert cut.endswith("…")
    assert RULER.width(cut, 7) <= 1


def test_ruler_fit_is_one_printable_line():
    assert RULER.fit("a\n\x1b[31m\u202eb\0\udc80", 7, 9) == "a �[31m�b��"


def test_ruler_wrap():
    assert RULER.wrap("one two", 7, 5, 3) == ["one two"]
    assert RULER.wrap("one two three", 7, RULER.width("one two", 7), 3) == ["one two", "three"]
    assert RULER.wrap("", 7, 5, 3) == [""]
    lines = RULER.wrap("one two three " * 99, 7, 1, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(RULER.width(line, 7) <= 1 for line in lines)
    [line] = RULER.wrap("x" * 9999, 7, 1, 3)
    assert line.endswith("…")


def test_add_axes_takes_inches_from_the_upper_left():
    figure = new_figure(4)
    axes = add_axes(figure, "name", 1, 0.5, 2, 1)
    assert axes.get_position().bounds == pytest.approx((1 / 8, 2.5 / 4, 2 / 8, 1 / 4))
    assert axes.get_label() == "name"


@pytest.mark.parametrize("name", ["a.pdf", "a", "png", "a.png.gz"])
def test_check_suffix(tmp_path, name):
    check_suffix(tmp_path / "a.PNG")
    with pytest.raises(OptionError, match=r"is a \.png or a \.svg file"):
        check_suffix(tmp_path / name)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_write_figure_is_deterministic(tmp_path, suffix):
    def write(name):
        with figure_style():
            figure = new_figure(1)
            add_text(figure, 0.1, 0.1, "$x_1$ -- <b> & \x01 日本 \u202e")
            add_axes(figure, "", 1, 0.2, 3, 0.5).plot([1, 2], [3, 4])
            write_figure(figure, tmp_path / f"{name}{suffix}")
        return (tmp_path / f"{name}{suffix}").read_bytes()

    assert write("a") == write("b")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_figure_style_ignores_the_users_style_and_restores_it():
    with matplotlib.rc_context({"axes.linewidth": 9}):
        with figure_style():
            assert matplotlib.rcParams["axes.linewidth"] == 0.5
        assert matplotlib.rcParams["axes.linewidth"] == 9
    assert logging.getLogger("matplotlib").level == logging.NOTSET


def test_figure_style_does_not_warn_of_missing_glyphs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with figure_style():
            figure = new_figure(1)
            add_text(figure, 0, 0, "日本")
            figure.savefig(io.BytesIO(), format="png")
