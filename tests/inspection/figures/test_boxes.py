import numpy as np
import pytest
from matplotlib.colors import to_hex
from plot_fixtures import RULER, texts

from spiritlm_cli.inspection.figures.boxes import Boxes, choose_style, draw_boxes, place_labels
from spiritlm_cli.inspection.figures.figure import add_axes, new_figure

RED = "#ff0000"


def boxes(edges, labels):
    edges = np.array(edges, dtype=float)
    return Boxes(edges[:-1], edges[1:], tuple(labels))


@pytest.fixture
def axes():
    return add_axes(new_figure(1), "", 0, 0, 8, 1)


def test_boxes_cut_labels_the_longer_part():
    row = boxes([0, 1, 1, 4, 5], "abcd").cut(2, 4.5)
    assert row.starts.tolist() == [2, 4]
    assert row.ends.tolist() == [4, 4.5]
    assert row.labels == ("c", "d")
    assert boxes([0, 3], "a").cut(2.5, 4).labels == ("",)


def test_boxes_cut_labels_each_box():
    halves = boxes([0, 0.2], "a")
    assert (halves.cut(0, 0.1).labels, halves.cut(0.1, 0.2).labels) == (("a",), ("",))
    # a run of 9 s in three rows has no part that is longer than the rest
    assert boxes([0, 9], "a").cut(3, 6).labels == ("a",)


def test_boxes_cut_leaves_out_boxes_without_duration():
    assert boxes([0, 1, 1, 4], "abc").cut(0, 9).labels == ("a", "c")


def test_place_labels():
    centers = np.array([0, 1, 2, 3, 4.0])
    assert place_labels(centers, np.ones(5), 1).tolist() == [0, 0, 0, 0, 0]
    assert place_labels(centers, np.full(5, 2.0), 2).tolist() == [0, 1, 0, 1, 0]
    assert place_labels(centers, np.full(5, 2.0), 1).tolist() == [0, -1, 0, -1, 0]


@pytest.mark.parametrize(
    ("seconds_per_inch", "upright", "levels"), [(0.1, False, 1), (0.4, True, 1), (0.8, True, 2)]
)
def test_choose_style_of_phonetic_units(seconds_per_inch, upright, levels):
    row = boxes(np.arange(51) * 0.04, [str(100 + i) for i in range(50)])
    style = choose_style(row, RED, seconds_per_inch, RULER, 2)
    assert (style.upright, style.levels) == (upright, levels)


def test_choose_style_keeps_words_level():
    row = boxes(np.arange(11) * 0.2, ["word"] * 10)
    style = choose_style(row, RED, 1, RULER, 4, turn=False)
    assert not style.upright
    assert style.levels == 2


def test_draw_boxes(axes):
    row = boxes([0, 1, 2, 2, 3], ["5", "6", "", "7"])
    draw_boxes(axes, row, choose_style(row, RED, 1, RULER, 1), 1, RULER)
    [collection] = axes.collections
    assert len(collection.get_paths()) == 4
    assert {to_hex(color) for color in collection.get_facecolors()} == {RED}
    assert texts(axes) == ["5", "6", "7"]
    assert [text.get_position()[0] for text in axes.texts] == [0.5, 1.5, 2.5]


def test_draw_boxes_leaves_out_labels_without_room(axes):
    row = boxes(np.arange(101) * 0.01, [str(i) for i in range(100)])
    draw_boxes(axes, row, choose_style(row, RED, 1, RULER, 2), 1, RULER)
    assert len(axes.collections[0].get_paths()) == 100
    assert 10 < len(axes.texts) < 40


def test_draw_boxes_without_boxes(axes):
    row = boxes([0.0], [])
    draw_boxes(axes, row, choose_style(row, RED, 1, RULER, 2), 1, RULER)
    assert not axes.texts
