"""Clips and token lines made by hand, for the tests of plots."""

import numpy as np

from spiritlm_cli.inspection.figures.figure import Ruler
from spiritlm_cli.inspection.inspected import Inspected, RebuiltF0, Sound
from spiritlm_cli.inspection.timeline import TextMark, Timeline, units_timeline
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.f0 import F0Track
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units

RULER = Ruler()


def units(seconds):
    """Units of a clip: phonetic ids from 100 in runs of two, pitch and style ids from 1, no two alike in succession."""
    frames = round(seconds * 25)
    return Units(
        hubert=100 + np.arange(frames) // 2 % 400,
        pitch=1 + np.arange(frames // 2) % 64,
        style=1 + np.arange(int(np.ceil(seconds))) % 100,
    )


def tone(seconds, hertz=200.0):
    """A sine at half of full scale and its F0, whose first half is voiced."""
    samples = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * 16000)) / 16000)
    f0 = np.full(len(samples) // 80 + 1, hertz, dtype=np.float32)
    return Sound(Waveform(samples.astype(np.float32), 16000), F0Track(f0, np.arange(len(f0)) < len(f0) / 2))


def clip(seconds, name="a", **fields):
    """A clip with its resynthesis and its F0, all of the same duration."""
    encoded = units(seconds)
    rebuilt = np.full(16 * len(encoded.pitch), 190, dtype=np.float32)
    rebuilt[::7] = np.nan
    known = {
        "original": tone(seconds),
        "resynthesis": tone(seconds, 220),
        "rebuilt_f0": RebuiltF0(rebuilt),
    } | fields
    return Inspected(name, "a.wav", Sequence.of([merge_streams(encoded)]), units_timeline(encoded), **known)


def line(seconds, texts=(), **fields):
    """A token line with texts at times, (text, seconds) each, without sounds."""
    encoded = units(seconds)
    lanes = units_timeline(encoded)
    marks = tuple(TextMark(*text) for text in texts)
    timeline = Timeline(lanes.lanes, lanes.seconds, marks, predicted=True)
    return Inspected("1", "lines.txt", Sequence.of([merge_streams(encoded)]), timeline, **fields)


def empty(texts=()):
    """A token line without speech."""
    timeline = Timeline((), 0.0, tuple(TextMark(text, 0.0) for text in texts))
    return Inspected("1", "lines.txt", Sequence.of(map(TextSpan, texts)), timeline)


def panels(figure, name):
    """The axes of a figure with a name, from the top."""
    return [axes for axes in figure.axes if axes.get_label() == name]


def texts(artist):
    """The texts in a figure or in axes."""
    return [text.get_text() for text in artist.texts]
