import json

import numpy as np
import pytest
from inspection_fixtures import line

from spiritlm_cli.inspection.inspected import Inspected, Sound
from spiritlm_cli.inspection.statistics import SpanMeasures, UnitStatistics, measure_spans
from spiritlm_cli.inspection.timeline import units_timeline
from spiritlm_cli.manifests.clip import Waveform, Word
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind, Units


def clip(samples=None, words=()):
    """Four frames, two pitch units and a style unit, with a waveform of 160 ms."""
    units = Units(np.array([5, 5, 7, 8]), np.array([3, 4]), np.array([9]))
    samples = np.ones(2560, np.float32) if samples is None else samples
    sequence = Sequence.of([merge_streams(units)])
    return Inspected(
        "c", "c.wav", sequence, units_timeline(units), Sound(Waveform(samples, 16000)), words=words
    )


def test_measure_spans_of_an_interleaved_line():
    # kept repeats: 40 ms each
    inspected = line("[TEXT]the cat [SPEECH][Pi1][Hu5][Hu5][Hu7][TEXT]\\[x][SPEECH][St2][Hu7][Hu7]")
    assert measure_spans(inspected) == [
        SpanMeasures("text", 0, 0, {}, "the cat ", 2),
        SpanMeasures("speech", 0, 0.12, {Kind.PITCH: 1, Kind.HUBERT: 3}),
        SpanMeasures("text", 0.12, 0.12, {}, "[x]", 1),
        SpanMeasures("speech", 0.12, 0.2, {Kind.STYLE: 1, Kind.HUBERT: 2}),
    ]


def test_measure_spans_of_a_clip_counts_spoken_words():
    (span,) = measure_spans(clip(words=(Word("a", 0.0, 0.1), Word("b", 0.1, 0.3))))
    assert (span.modality, span.start, span.end, span.words) == ("speech", 0, 0.16, 1)
    assert span.units == {Kind.HUBERT: 3, Kind.PITCH: 2, Kind.STYLE: 1}


def test_measure_spans_without_spans():
    assert measure_spans(line("")) == []


def test_statistics_of_a_clip():
    quiet = np.concatenate([np.ones(1920), np.full(640, 0.01)]).astype(np.float32)
    statistics = UnitStatistics.of(clip(quiet), {Kind.HUBERT: 512})
    assert list(statistics.streams) == [Kind.HUBERT, Kind.PITCH, Kind.STYLE]
    hubert, pitch, _ = statistics.streams.values()
    assert (hubert.units, hubert.runs, pitch.units, pitch.runs) == (4, 3, 2, 2)
    assert hubert.rate == pytest.approx(3 / 0.16)
    assert statistics.silence == 0.25
    # 3 runs of log2(512) bits, 2 of log2(2): its codebook is unknown, and 1 of log2(1), in 160 ms
    assert statistics.fixed_length_bitrate == pytest.approx((3 * 9 + 2) / 0.16)
    assert statistics.entropy_bitrate == pytest.approx((3 * np.log2(3) + 2) / 0.16)
    assert statistics.predicted == 0


def test_statistics_of_many_inputs():
    statistics = UnitStatistics()
    for inspected in (
        clip(),
        line("[SPEECH][Hu5][Hu5][Hu7]"),
        line("[TEXT]two words[SPEECH][Hu7][Hu8][Hu9]"),
        line("[TEXT]x"),
        line(""),
    ):
        statistics.add(inspected)
    assert (statistics.inputs, statistics.predicted) == (5, 1)
    assert statistics.modalities == {"speech": 2, "speech+text": 1, "text": 1, "": 1}
    assert statistics.spans == {"speech": 3, "text": 2}
    assert (statistics.switches, statistics.words, statistics.characters) == (1, 3, 10)
    assert statistics.silence == 0
    hubert, pitch = statistics.streams[Kind.HUBERT], statistics.streams[Kind.PITCH]
    assert hubert.seconds == pytest.approx(statistics.seconds)
    assert pitch.seconds == pytest.approx(0.16)  # the clip alone has pitch units
    assert hubert.bigrams.top(2) == [((5, 7), 2), ((7, 8), 2)]
    assert [item.count for item in statistics.units_per_input.bins()] == [2, 0, 0, 2, 0, 1]
    assert statistics.seconds_per_input.count == 5


def test_statistics_do_not_join_units_across_text():
    statistics = UnitStatistics.of(line("[SPEECH][Hu5][Hu7][TEXT]x[SPEECH][Hu7][Hu9]"))
    assert dict(statistics.streams[Kind.HUBERT].bigrams.top(9)) == {(5, 7): 1, (7, 9): 1}
    assert statistics.streams[Kind.HUBERT].runs == 4


def test_silence_of_token_lines_is_unknown():
    assert UnitStatistics.of(line("[SPEECH][Hu5]")).silence is None


def test_statistics_of_nothing():
    shown = json.loads(json.dumps(UnitStatistics().to_json(), allow_nan=False))
    assert (shown["inputs"], shown["seconds"], shown["streams"]) == (0, 0, {})


def test_statistics_to_json():
    statistics = UnitStatistics()
    statistics.add(clip())
    statistics.add(line("", "empty"))
    shown = json.loads(json.dumps(statistics.to_json(), allow_nan=False))
    assert shown["inputs_by_modality"] == {"empty": 1, "speech": 1}
    assert shown["inputs_with_predicted_durations"] == 0
    assert shown["units_per_input"]["count"] == 2
    assert shown["streams"]["Pi"]["counts"] == {"3": 1, "4": 1}
    summary = UnitStatistics.of(clip()).summary()
    assert json.loads(json.dumps(summary))["streams"]["Hu"]["runs"] == 3
    assert "counts" not in summary["streams"]["Hu"]
