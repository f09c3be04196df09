import base64
import functools
import io
import json
from dataclasses import replace

import numpy as np
import page_fixtures
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import AudioError
from spiritlm_cli.inspection.inspected import Sound
from spiritlm_cli.inspection.page_data import clip_to_json, script_json, sounds_to_json
from spiritlm_cli.inspection.timeline import sequence_timeline, units_timeline
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind, Unit, Units
from spiritlm_cli.tokens.writer import format_sequence
from spiritlm_cli.vocoder.durations import DurationPredictor


@functools.cache
def predictor():
    return DurationPredictor.load(find_checkpoint("nano"), True)


@pytest.fixture(scope="module")
def waveform(recording_file):
    return page_fixtures.recording(recording_file, 2)


def line_of(data):
    """The token line that the page makes of its data."""
    return "".join(
        "[SPEECH]"
        + "".join(
            f"[{data['lanes'][lane]['kind']}{data['lanes'][lane]['ids'][run]}]"
            for lane, run, *_ in span["tokens"]
        )
        if "tokens" in span
        else "[TEXT]" + span["text"]
        for span in data["spans"]
    )


def test_clip_to_json(waveform):
    inspected = page_fixtures.clip(waveform)
    data = json.loads(json.dumps(clip_to_json(inspected)))
    assert (data["id"], data["source"], data["text"]) == ("clip", "clip.flac", "hello world")
    assert (data["seconds"], data["speech_seconds"], data["predicted"]) == (2.0, 2.0, False)
    hubert, pitch, style = data["lanes"]
    assert (hubert["kind"], hubert["ids"][:3], hubert["counts"][:3]) == ("Hu", [0, 1, 2], [2, 2, 2])
    assert (hubert["starts"][:3], hubert["ends"][:3]) == ([0, 0.08, 0.16], [0.08, 0.16, 0.24])
    assert (pitch["kind"], pitch["ends"][0], style["kind"], style["ids"]) == ("Pi", 0.24, "St", [0, 1])
    assert data["words"][1] == {"word": "world", "start": 0.7, "end": 1.1}
    assert data["f0_rate"] == 200
    assert data["f0"]["original"][18:22] == [None, None, 120, 120]
    assert data["f0"]["rebuilt"][0] == 125
    assert not data["rebuilt_is_relative"]
    assert data["sounds"]["resynthesis"] == {"seconds": 2.0, "rate": 16000}


def test_clip_to_json_has_the_token_line(waveform):
    for inspected in (
        page_fixtures.clip(waveform),
        page_fixtures.clip(waveform, repeats=True),
        page_fixtures.interleaved(),
        page_fixtures.text_only(),
        page_fixtures.text_only(text=""),
    ):
        assert line_of(clip_to_json(inspected)) == format_sequence(inspected.sequence)


def test_clip_to_json_times_of_tokens():
    units = Units(np.array([5, 5, 7, 7, 7]), np.array([3, 3]), np.array([9]))

    def tokens(repeats):
        line = Sequence.of([merge_streams(units, repeats)])
        data = clip_to_json(replace(page_fixtures.text_only(), sequence=line, timeline=units_timeline(units)))
        return data["spans"][0]["tokens"]

    # merged: a token is a run
    assert tokens(False) == [[2, 0, 0, 0.2], [1, 0, 0, 0.2], [0, 0, 0, 0.08], [0, 1, 0.08, 0.2]]
    # kept: a token is a unit
    kept = tokens(True)
    assert [token for token in kept if token[0] == 0] == [
        [0, 0, 0, 0.04],
        [0, 0, 0.04, 0.08],
        [0, 1, 0.08, 0.12],
        [0, 1, 0.12, 0.16],
        [0, 1, 0.16, 0.2],
    ]
    assert [token for token in kept if token[0] == 1] == [[1, 0, 0, 0.08], [1, 0, 0.08, 0.2]]


def test_clip_to_json_times_of_tokens_of_a_line():
    sequence = parse_line("[SPEECH][St4][Pi1][Hu5][Hu5][Pi2][Hu5][Hu7][TEXT]ha[SPEECH][Hu7][Hu7]").sequence
    timeline = sequence_timeline(sequence, pytest.fail)  # runs were kept, and nothing is predicted
    data = clip_to_json(replace(page_fixtures.text_only(), sequence=sequence, timeline=timeline))
    first, text, second = data["spans"]
    assert [token[2:] for token in first["tokens"]] == [
        [0, 0.24],
        [0, 0.08],
        [0, 0.04],
        [0.04, 0.08],
        [0.08, 0.24],
        [0.08, 0.12],
        [0.12, 0.16],
    ]
    assert text == {"text": "ha"}
    assert second["tokens"] == [[0, 2, 0.16, 0.2], [0, 2, 0.2, 0.24]]


ids = st.integers(0, 3)
spans = st.lists(
    st.builds(TextSpan, st.text("a[\\\n ", min_size=1))
    | st.builds(SpeechSpan, st.lists(st.builds(Unit, st.sampled_from(Kind), ids), min_size=1).map(tuple))
)


@settings(max_examples=50, deadline=None)
@given(spans.map(Sequence.of))
def test_clip_to_json_of_any_line(sequence):
    data = clip_to_json(
        replace(page_fixtures.text_only(), sequence=sequence, timeline=sequence_timeline(sequence, predictor))
    )
    assert line_of(data) == format_sequence(sequence)
    tokens = [token for span in data["spans"] for token in span.get("tokens", [])]
    for _, run, start, end in tokens:
        assert run >= 0
        assert 0 <= start <= end <= data["seconds"]
    for lane in range(len(data["lanes"])):
        starts = [token[2] for token in tokens if token[0] == lane]
        assert starts == sorted(starts)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(ids, ids), min_size=1, max_size=80), st.booleans())
def test_clip_to_json_of_any_clip(frames, repeats):
    hubert, pitch = np.array(frames).T
    units = Units(hubert, pitch[: len(pitch) // 2], pitch[: len(pitch) // 25 + 1])
    sequence = Sequence.of([merge_streams(units, repeats)])
    data = clip_to_json(replace(page_fixtures.text_only(), sequence=sequence, timeline=units_timeline(units)))
    assert line_of(data) == format_sequence(sequence)
    for index, lane in enumerate(data["lanes"]):
        # the tokens of a stream follow each other without gaps
        times = [time for token in data["spans"][0]["tokens"] if token[0] == index for time in token[2:]]
        assert times[1:-1:2] == times[2::2]
        assert (times[:1], times[-1:]) == (lane["starts"][:1], lane["ends"][-1:])


def test_sounds_to_json_is_lossless(waveform):
    sounds = sounds_to_json(page_fixtures.clip(waveform))
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sounds["original"])), dtype="float32")
    assert rate == 16000
    assert np.array_equal(samples, waveform.samples)
    assert list(sounds) == ["original", "resynthesis"]


def test_sounds_to_json_without_sounds():
    assert sounds_to_json(page_fixtures.interleaved()) == {}
    silent = replace(
        page_fixtures.interleaved(), original=Sound(Waveform(np.zeros(0, dtype=np.float32), 16000))
    )
    assert sounds_to_json(silent) == {}
    assert clip_to_json(silent)["sounds"] == {}


def test_sounds_to_json_refuses_samples_that_are_no_numbers():
    broken = Sound(Waveform(np.full(10, np.nan, dtype=np.float32), 16000))
    with pytest.raises(AudioError, match="not a number"):
        sounds_to_json(replace(page_fixtures.interleaved(), original=broken))


def test_script_json():
    value = [page_fixtures.HOSTILE, "\ud800", "é"]
    content = script_json(value)
    assert json.loads(content) == value
    assert content.isascii()
    assert "<" not in content
