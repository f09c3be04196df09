"""Inputs for the page of `inspect`, made without models."""

from pathlib import Path

import numpy as np

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.inspection.inspected import Inspected, RebuiltF0, Sound
from spiritlm_cli.inspection.timeline import Lane, TextMark, Timeline, units_timeline
from spiritlm_cli.manifests.clip import Waveform, Word
from spiritlm_cli.speech.f0 import F0Track
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind, Unit, Units

# Strings that would end or change a script element, run as markup, or look like something else.
HOSTILE = (
    "</script><script>window.attacked = 1</script><!--<img src=x onerror='window.attacked = 1'>"
    '\u2028\u2029"`${window.attacked = 1}&lt;{{script}}\u202egnp.exe\u2066\x00'
)


def track(seconds: float, f0: float) -> F0Track:
    """A constant F0, unvoiced for the first tenth of a second."""
    voiced = np.arange(round(200 * seconds) + 1) >= 20
    return F0Track(np.full(len(voiced), f0, dtype=np.float32), voiced)


def clip(waveform: Waveform, id: str = "clip", repeats: bool = False, words: bool = True) -> Inspected:  # noqa: A002
    """A clip with both sounds, and with units that follow a pattern: [Hu0] to [Hu49] and again, each for 80 ms."""
    frames = int(25 * waveform.seconds)
    units = Units(
        np.arange(frames) // 2 % 50, np.arange(frames // 2) // 3 % 20, np.arange(frames // 25 + 1) // 2 % 5
    )
    return Inspected(
        id,
        f"{id}.flac",
        Sequence.of([merge_streams(units, repeats)]),
        units_timeline(units),
        Sound(waveform, track(waveform.seconds, 120)),
        Sound(Waveform(waveform.samples[::-1] / 2, 16000), track(waveform.seconds, 130)),
        RebuiltF0(np.full(200 * frames // 25, 125, dtype=np.float32)),
        (Word("hello", 0.2, 0.6), Word("world", 0.7, 1.1)) if words else (),
        "hello world" if words else None,
    )


def interleaved(id: str = "interleaved") -> Inspected:  # noqa: A002
    """A line with two text spans, whose times are predicted, without a sound."""
    units = tuple(Unit(Kind.HUBERT, i) for i in (5, 7, 9, 5))
    starts = np.array([0.0, 0.1, 0.3, 0.4])
    lane = Lane(
        Kind.HUBERT, np.array([5, 7, 9, 5]), starts, np.array([*starts[1:], 0.5]), np.ones(4, dtype=np.int64)
    )
    texts = (TextMark("the cat [1]", 0.0), TextMark("sat", 0.3))
    spans = (TextSpan("the cat [1]"), SpeechSpan(units[:2]), TextSpan("sat"), SpeechSpan(units[2:]))
    return Inspected(id, "lines.txt", Sequence(spans), Timeline((lane,), 0.5, texts, predicted=True))


def text_only(id: str = "text", text: str = "only text") -> Inspected:  # noqa: A002
    """A line without speech."""
    empty = np.array([])
    lane = Lane(Kind.HUBERT, empty.astype(np.int64), empty, empty, empty.astype(np.int64))
    spans = (TextSpan(text),) if text else ()
    marks = (TextMark(text, 0.0),) if text else ()
    return Inspected(id, "lines.txt", Sequence(spans), Timeline((lane,), 0.0, marks))


def hostile(waveform: Waveform) -> Inspected:
    """A clip with hostile strings wherever a string can be."""
    inspected = clip(waveform)
    text = HOSTILE.replace("\x00", "")
    return Inspected(
        HOSTILE + "x" * 10_000,
        HOSTILE,
        Sequence((TextSpan(text), *inspected.sequence.spans)),
        Timeline(inspected.timeline.lanes, inspected.timeline.seconds, (TextMark(text, 0.0),)),
        inspected.original,
        inspected.resynthesis,
        None,
        (Word(HOSTILE, 0.2, 0.6),),
        HOSTILE,
    )


def recording(path: Path, seconds: float) -> Waveform:
    """A recording, repeated to a duration."""
    samples = read_audio(path).samples
    return Waveform(np.resize(samples, round(16000 * seconds)), 16000)
