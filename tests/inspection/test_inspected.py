import numpy as np
import pytest

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.inspection.inspected import Inspected, Sound, rebuild_f0
from spiritlm_cli.inspection.timeline import units_timeline
from spiritlm_cli.speech.f0 import F0Track
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Units


@pytest.fixture(scope="module")
def tokenizer():
    return SpeechTokenizer.load("nano")


@pytest.fixture(scope="module")
def waveform(recording_file):
    return read_audio(recording_file, end=3.0)


def test_rebuild_f0_follows_the_original(tokenizer, waveform):
    units, track = tokenizer.encode(waveform), tokenizer.prosody.tracker(waveform.samples)
    rebuilt = rebuild_f0(units_timeline(units), tokenizer.prosody.pitch, track).f0
    assert len(rebuilt) == 16 * len(units.pitch)
    frames = min(len(rebuilt), len(track.f0))
    both = track.voiced[:frames] & ~np.isnan(rebuilt[:frames])
    assert both.sum() > 0.7 * track.voiced.sum()
    error = np.abs(rebuilt[:frames] - track.f0[:frames])[both]
    assert np.median(error) < 25  # Hz


def test_rebuild_f0_without_the_original_is_relative_to_its_mean(tokenizer):
    timeline = units_timeline(Units(np.zeros(4, dtype=np.int64), np.array([1, 2])))
    model = tokenizer.prosody.pitch
    rebuilt = rebuild_f0(timeline, model, None)
    assert rebuilt.is_relative
    track = F0Track(np.full(32, 100, dtype=np.float32), np.ones(32, dtype=bool))
    with_mean = rebuild_f0(timeline, model, track)
    assert np.array_equal(with_mean.f0, rebuilt.f0 + 100, equal_nan=True)
    assert not with_mean.is_relative
    unvoiced = F0Track(track.f0, np.zeros(32, dtype=bool))
    assert rebuild_f0(timeline, model, unvoiced).is_relative


def test_rebuild_f0_without_pitch_units(tokenizer):
    assert (
        rebuild_f0(units_timeline(Units(np.zeros(4, dtype=np.int64))), tokenizer.prosody.pitch, None) is None
    )


def test_inspected_seconds(waveform):
    units = Units(np.zeros(4, dtype=np.int64))
    line = Inspected("1", "lines.txt", Sequence.of([merge_streams(units)]), units_timeline(units))
    assert line.seconds == pytest.approx(0.16)
    clip = Inspected("1", "in.wav", line.sequence, line.timeline, Sound(waveform))
    assert clip.seconds == pytest.approx(3.0)
