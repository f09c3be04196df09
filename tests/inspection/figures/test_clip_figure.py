import numpy as np
import pytest
from matplotlib.colors import to_hex
from plot_fixtures import clip, empty, line, panels, texts, tone

from spiritlm_cli.inspection.figures.clip_figure import clip_figure
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.manifests.clip import Waveform, Word


def names(figure):
    return [axes.get_label() for axes in figure.axes]


def test_clip_figure_of_a_clip():
    figure = clip_figure(clip(2))
    assert names(figure) == ["original", "kHz", "phonetic", "F0\nHz", "pitch", "style"]
    assert figure.get_size_inches()[0] * figure.dpi == 1200
    assert texts(figure)[0] == "a"
    for axes in figure.axes:
        assert axes.get_xlim() == (0, 2)


def test_clip_figure_has_a_box_for_each_run():
    inspected = clip(2)
    figure = clip_figure(inspected)
    for lane, name in zip(inspected.timeline.lanes, ("phonetic", "pitch", "style"), strict=True):
        [axes] = panels(figure, name)
        [boxes] = axes.collections
        assert len(boxes.get_paths()) == len(lane)
        ids = [str(unit) for unit in lane.ids]
        assert texts(axes) == [*ids, name]
        color = LIGHT.stream(lane.kind)
        assert {to_hex(edge) for edge in boxes.get_edgecolors()} == {color}
        assert axes.texts[-1].get_color() == color
        corners = np.array([path.vertices[:4, 0] for path in boxes.get_paths()])
        assert corners.min(axis=1) == pytest.approx(lane.starts)
        assert corners.max(axis=1) == pytest.approx(lane.ends)


def test_clip_figure_shows_boundaries_of_runs_on_the_spectrogram():
    inspected = clip(2)
    [axes] = panels(clip_figure(inspected), "kHz")
    [lines] = axes.collections
    assert [segment[0, 0] for segment in lines.get_segments()] == pytest.approx(
        inspected.timeline.lanes[0].starts[1:]
    )


def test_clip_figure_of_a_long_clip_has_rows():
    inspected = clip(15)
    figure = clip_figure(inspected)
    rows = panels(figure, "phonetic")
    assert len(rows) == len(panels(figure, "original")) == 3
    limits = [axes.get_xlim() for axes in rows]
    assert limits[0][0] == 0
    assert limits[-1][1] == pytest.approx(15, abs=0.1)
    labels = [label for axes in rows for label in texts(axes)[:-1]]
    assert labels == [str(unit) for unit in inspected.timeline.lanes[0].ids]
    bottoms = [axes.get_position().y0 for axes in figure.axes]
    assert min(bottoms) > 0
    assert bottoms == sorted(bottoms, reverse=True)


def test_clip_figure_words():
    words = (Word("$two$", 0.2, 0.5), Word("words", 0.5, 1.4), Word("x\ny", 1.5, 2))
    [axes] = panels(clip_figure(clip(2, words=words)), "words")
    assert texts(axes) == ["$two$", "words", "x y", "words"]
    assert len(axes.collections[0].get_paths()) == 3


def test_clip_figure_cuts_long_words():
    [axes] = panels(clip_figure(clip(1, words=(Word("long" * 1000, 0, 1),))), "words")
    [word, _] = texts(axes)
    assert word.startswith("longlong")
    assert word.endswith("…")


def test_clip_figure_of_a_line():
    figure = clip_figure(line(2, [("first", 0), ("second", 1)], resynthesis=tone(2)))
    assert names(figure) == ["text", "resynthesis", "kHz", "phonetic", "F0\nHz", "pitch", "style"]
    assert texts(panels(figure, "text")[0]) == ["first", "second"]


def test_clip_figure_of_a_line_without_sounds():
    assert names(clip_figure(line(2))) == ["phonetic", "pitch", "style"]


def test_clip_figure_of_phonetic_units_only():
    inspected = line(2)
    object.__setattr__(inspected.timeline, "lanes", inspected.timeline.lanes[:1])
    assert names(clip_figure(inspected)) == ["phonetic"]


@pytest.mark.parametrize("spans", [[], ["words"]])
def test_clip_figure_without_speech_says_so(spans):
    figure = clip_figure(empty(spans))
    assert not figure.axes
    assert texts(figure)[1] == ("text without speech" if spans else "empty: neither speech nor text")


def test_clip_figure_of_silence():
    silence = Waveform(np.zeros(3200, np.float32), 16000)
    inspected = clip(0.2, original=type(tone(1))(silence), resynthesis=None, rebuilt_f0=None)
    assert names(clip_figure(inspected)) == ["original", "kHz", "phonetic", "pitch", "style"]
