import numpy as np
import pytest
import torch

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import TokenError
from spiritlm_cli.inspection.timeline import TextMark, sequence_timeline, units_timeline
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.units import Kind, Units
from spiritlm_cli.vocoder.durations import DurationPredictor


@pytest.fixture(scope="module")
def predictor():
    return DurationPredictor.load(find_checkpoint("nano"), True)


def lane(timeline, kind):
    found = timeline.lane(kind)
    return found.ids.tolist(), found.starts.tolist(), found.ends.tolist(), found.counts.tolist()


def test_units_timeline():
    timeline = units_timeline(Units(np.array([5, 5, 7, 7, 7]), np.array([3, 3]), np.array([9])))
    assert timeline.seconds == 0.2
    assert not timeline.predicted
    assert lane(timeline, Kind.HUBERT) == ([5, 7], [0, 0.08], [0.08, 0.2], [2, 3])
    # the last unit of a stream ends with the clip, before or after its own rate says
    assert lane(timeline, Kind.PITCH) == ([3], [0], [0.2], [2])
    assert lane(timeline, Kind.STYLE) == ([9], [0], [0.2], [1])


def test_units_timeline_without_prosody():
    assert units_timeline(Units(np.array([1]))).lane(Kind.PITCH) is None


def test_sequence_timeline_of_kept_repeats_is_exact():
    sequence = parse_line("[SPEECH][St4][Pi1][Hu5][Hu5][Pi2][Hu5][Hu7][TEXT]ha[SPEECH][Hu7][Hu7]").sequence
    timeline = sequence_timeline(sequence, pytest.fail)
    assert not timeline.predicted
    assert timeline.seconds == 0.24
    # text separates runs
    assert lane(timeline, Kind.HUBERT) == ([5, 7, 7], [0, 0.12, 0.16], [0.12, 0.16, 0.24], [3, 1, 2])
    assert lane(timeline, Kind.PITCH) == ([1, 2], [0, 0.08], [0.08, 0.24], [1, 1])
    assert lane(timeline, Kind.STYLE) == ([4], [0], [0.24], [1])
    assert timeline.texts == (TextMark("ha", 0.16),)


def test_sequence_timeline_of_merged_runs_is_predicted(predictor):
    sequence = parse_line("[SPEECH][Hu5][Pi1][Hu7][Pi2][Pi3][Hu9]").sequence
    timeline = sequence_timeline(sequence, lambda: predictor)
    frames = predictor.frames(torch.tensor([5, 7, 9])).tolist()
    assert timeline.predicted
    edges = (np.cumsum([0, *frames]) / 25).tolist()
    assert timeline.seconds == edges[-1]
    assert lane(timeline, Kind.HUBERT) == ([5, 7, 9], edges[:-1], edges[1:], [1, 1, 1])
    # the first unit holds before it too, and one that another replaces at once holds no time
    assert lane(timeline, Kind.PITCH) == (
        [1, 2, 3],
        [0, edges[2], edges[2]],
        [edges[2], edges[2], edges[3]],
        [1, 1, 1],
    )


def test_sequence_timeline_without_speech():
    timeline = sequence_timeline(parse_line("[TEXT]the cat").sequence, pytest.fail)
    assert timeline.seconds == 0
    assert lane(timeline, Kind.HUBERT) == ([], [], [], [])
    assert timeline.texts == (TextMark("the cat", 0),)


def test_sequence_timeline_refuses_unknown_units(predictor):
    first = predictor.num_units
    with pytest.raises(TokenError, match=rf"\[Hu{first}\] is not a unit .* has \[Hu0\] to \[Hu{first - 1}\]"):
        sequence_timeline(parse_line(f"[SPEECH][Hu{first}][Hu1]").sequence, lambda: predictor)


def test_lane_sample():
    pitch = units_timeline(Units(np.zeros(8, dtype=np.int64), np.array([3, 3, 4, 5]))).lane(Kind.PITCH)
    assert pitch.sample(12.5, 0.32).tolist() == [3, 3, 4, 5]
    assert pitch.sample(25, 0.32).tolist() == [3, 3, 3, 3, 4, 4, 5, 5]
