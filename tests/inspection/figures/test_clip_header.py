import numpy as np
from plot_fixtures import RULER, clip, empty, line

from spiritlm_cli.inspection.figures.clip_header import ClipHeader, describe
from spiritlm_cli.inspection.figures.clip_signals import f0_panel
from spiritlm_cli.inspection.figures.figure import new_figure
from spiritlm_cli.inspection.inspected import Sound
from spiritlm_cli.manifests.clip import Waveform, Word


def header(inspected):
    return ClipHeader.of(inspected, f0_panel(inspected), RULER)


def lines(inspected):
    return [line.text for line in header(inspected).lines]


def test_describe():
    assert describe(clip(2)) == (
        "2.00 s · peak -6.0 dBFS · 50 phonetic units in 25 runs · 25 pitch units · 2 style units · "
        "durations exact"
    )
    assert (
        describe(line(0.08))
        == "0.08 s · 2 phonetic units in 1 run · 1 pitch unit · 1 style unit · durations predicted by the vocoder"
    )


def test_describe_silence():
    silence = Sound(Waveform(np.zeros(16000, np.float32), 16000))
    assert describe(clip(1, original=silence)).startswith("1.00 s · peak 0 · 25 phonetic")


def test_describe_names_the_checkpoint():
    assert describe(clip(1, model="nano")).endswith(" · checkpoint nano")


def test_describe_says_what_is_not_shown():
    inspected = line(1)
    starts = inspected.timeline.lanes[1].starts
    starts[1:3] = 0.24  # where the third one ends
    assert "12 pitch units (2 without duration, not shown)" in describe(inspected)


def test_describe_without_speech():
    assert describe(empty()) == "empty: neither speech nor text"
    assert describe(empty(["words"])) == "text without speech"


def test_header_of_a_clip():
    assert lines(clip(1, "a")) == ["a", describe(clip(1))]
    assert lines(clip(1, text="what is said"))[2:] == ["what is said"]
    # the words are in a panel of their own
    assert len(lines(clip(1, text="what", words=(Word("what", 0, 1),)))) == 2


def test_header_of_a_text():
    assert lines(empty(["some", " words"]))[2:] == ["some words"]


def test_header_of_a_hostile_id():
    [name, *_] = lines(clip(1, "a\nb\x1b[31m " + "x" * 9999))
    assert name.startswith("a b�[31m xxx")
    assert name.endswith("…")


def test_header_draws_a_legend_of_f0():
    figure = new_figure(2)
    header(clip(1)).draw(figure)
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "F0 of the original",
        "F0 of the resynthesis",
        "F0 of the pitch units",
    ]
    assert header(clip(1)).height > header(line(1)).height
    figure = new_figure(2)
    header(line(1)).draw(figure)
    assert not figure.legends
