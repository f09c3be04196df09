from dataclasses import replace

import numpy as np
import pytest
from plot_fixtures import clip, line, tone

from spiritlm_cli.inspection.figures.clip_signals import (
    draw_spectrogram,
    draw_waveform,
    f0_panel,
    loudest_db,
    voiced_f0,
)
from spiritlm_cli.inspection.figures.figure import add_axes, new_figure
from spiritlm_cli.inspection.figures.rows import ROW_WIDTH, Row
from spiritlm_cli.inspection.inspected import RebuiltF0, Sound
from spiritlm_cli.inspection.palette import LIGHT
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.f0 import F0Track


@pytest.fixture
def axes():
    return add_axes(new_figure(1), "", 0, 0, ROW_WIDTH, 1)


def test_draw_waveform(axes):
    draw_waveform(axes, Row(0.2, 0.4), tone(1).waveform, 0.5, LIGHT.original)
    [area] = axes.collections
    times, values = area.get_paths()[0].vertices.T
    assert times.min() == pytest.approx(0.2)
    assert times.max() == pytest.approx(0.4, abs=0.001)
    assert (values.min(), values.max()) == (pytest.approx(-0.5, abs=0.01), pytest.approx(0.5, abs=0.01))


def test_draw_spectrogram_ends_with_the_sound(axes):
    draw_spectrogram(axes, Row(0.5, 1.5), tone(1).waveform, 0)
    [image] = axes.images
    assert image.get_extent() == [0.5, 1, 0, 8]
    assert axes.get_xlim() == (0.5, 1.5)


def test_draw_nothing_after_the_end_of_the_sound(axes):
    draw_waveform(axes, Row(2, 3), tone(1).waveform, 0.5, LIGHT.original)
    draw_spectrogram(axes, Row(2, 3), tone(1).waveform, 0)
    assert not axes.images
    assert not axes.collections


def test_loudest_db():
    assert loudest_db(tone(1).waveform) == pytest.approx(-6, abs=1)
    assert loudest_db(Waveform(np.zeros(1600, np.float32), 16000)) == -100


def test_voiced_f0():
    assert voiced_f0(None) is None
    assert voiced_f0(Sound(tone(1).waveform)) is None
    assert voiced_f0(Sound(tone(1).waveform, F0Track(np.zeros(9, np.float32), np.zeros(9, bool)))) is None
    f0 = voiced_f0(tone(1))
    assert len(f0) == 201
    assert np.isnan(f0[101:]).all()
    assert (f0[:101] == 200).all()


def test_f0_panel(axes):
    panel = f0_panel(clip(2))
    assert [curve.name for curve in panel.curves] == ["original", "resynthesis", "pitch units"]
    assert [curve.color for curve in panel.curves] == [LIGHT.original, LIGHT.resynthesis, LIGHT.pitch]
    assert panel.low < 190
    assert panel.high > 220
    axes.set_xlim(0.5, 1)
    panel.draw(axes, Row(0.5, 1))
    original = axes.lines[0]
    times, values = original.get_data()
    assert times[[0, -1]] == pytest.approx([0.495, 1.005])
    assert np.nanmax(values) == 200
    assert axes.get_ylim() == (panel.low, panel.high)


def test_f0_panel_moves_relative_f0_to_the_mean_of_the_resynthesis():
    relative = RebuiltF0(np.array([-10, np.nan, 30], dtype=np.float32), is_relative=True)
    panel = f0_panel(line(2, resynthesis=tone(2), rebuilt_f0=relative))
    assert [curve.name for curve in panel.curves] == [
        "resynthesis",
        "pitch units, at the mean of the resynthesis",
    ]
    assert panel.curves[1].f0 == pytest.approx([180, np.nan, 220], nan_ok=True)
    assert not panel.relative


def test_f0_panel_of_a_line_whose_model_encodes_hz():
    rebuilt = RebuiltF0(np.array([110, np.nan, 130], dtype=np.float32))
    panel = f0_panel(line(2, resynthesis=tone(2), rebuilt_f0=rebuilt))
    assert [curve.name for curve in panel.curves] == ["resynthesis", "pitch units"]
    assert panel.curves[1].f0 is rebuilt.f0


def test_f0_panel_of_relative_f0_alone(axes):
    relative = RebuiltF0(np.array([-10, np.nan, 30], dtype=np.float32), is_relative=True)
    panel = f0_panel(line(2, rebuilt_f0=relative))
    assert panel.relative
    assert (panel.low, panel.high) == (-30, 30)
    panel.draw(axes, Row(0, 2))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["-20", "0", "20"]


def test_f0_panel_without_f0():
    assert f0_panel(line(1)) is None
    assert (
        f0_panel(clip(1, original=None, resynthesis=None, rebuilt_f0=RebuiltF0(np.full(9, np.nan)))) is None
    )
    silent = replace(tone(1), f0=F0Track(np.zeros(201, np.float32), np.zeros(201, bool)))
    assert f0_panel(clip(1, original=silent, resynthesis=None, rebuilt_f0=None)) is None
