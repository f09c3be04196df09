import json

import numpy as np
import pytest

from spiritlm_cli.inspection.ngrams import MAX_IDS
from spiritlm_cli.inspection.streams import LongestRun, StreamStatistics, UnitCount
from spiritlm_cli.inspection.timeline import Lane, units_timeline
from spiritlm_cli.tokens.units import Kind, Unit, Units


def lane(*ids: int) -> Lane:
    """Phonetic units of 40 ms each."""
    (found,) = units_timeline(Units(np.array(ids, dtype=np.int64))).lanes
    return found


@pytest.fixture
def stream() -> StreamStatistics:
    """Eight runs in two seconds: four of [Hu1], two of [Hu3], one each of [Hu5] and [Hu6]. [Hu1] has 43 frames."""
    stream = StreamStatistics(Kind.HUBERT, codebook=16)
    stream.add(lane(1, 1, 3, 1, 3, 5, 1, 6, *[1] * 42), 2.0, "a")
    return stream


def test_entropy_and_bitrate(stream: StreamStatistics) -> None:
    # shares 1/2, 1/4, 1/8, 1/8: 1/2 × 1 + 1/4 × 2 + 2 × 1/8 × 3 = 1.75 bits
    assert (stream.units, stream.runs, stream.distinct, stream.used) == (50, 8, 4, 4)
    assert stream.entropy == 1.75
    assert stream.perplexity == pytest.approx(2**1.75)
    assert stream.rate == 4
    assert stream.fixed_length_bitrate == 16  # 4 runs a second of log2(16) bits
    assert stream.entropy_bitrate == 7  # N / D = 4


def test_fixed_length_bitrate_of_an_unknown_codebook() -> None:
    stream = StreamStatistics(Kind.HUBERT)
    stream.add(lane(1, 9, 4, 700), 1.0, "a")
    assert stream.fixed_length_bitrate == 8  # 4 runs a second of log2(4) bits


def test_one_unit_has_no_entropy() -> None:
    stream = StreamStatistics(Kind.HUBERT)
    stream.add(lane(7, 7), 0.08, "a")
    assert (stream.entropy, stream.perplexity, stream.fixed_length_bitrate) == (0, 1, 0)


def test_frequent_units(stream: StreamStatistics) -> None:
    most = stream.most_frequent(2)
    assert [(count.unit, count.runs) for count in most] == [
        (Unit(Kind.HUBERT, 1), 4),
        (Unit(Kind.HUBERT, 3), 2),
    ]
    assert most[0].mean_seconds == pytest.approx((0.08 + 0.04 + 0.04 + 42 * 0.04) / 4)
    assert stream.least_frequent(1) == [UnitCount(Unit(Kind.HUBERT, 5), 1, pytest.approx(0.04))]
    assert len(stream.most_frequent(99)) == len(stream.least_frequent(99)) == 4


def test_longest_run_is_the_first_of_the_longest(stream: StreamStatistics) -> None:
    assert stream.longest == LongestRun(Unit(Kind.HUBERT, 1), pytest.approx(1.68), "a")
    stream.add(lane(4), 0.04, "b")
    assert stream.longest.id == "a"
    stream.add(lane(*[9] * 99), 3.96, "c")
    assert stream.longest == LongestRun(Unit(Kind.HUBERT, 9), pytest.approx(3.96), "c")


def test_ids_outside_the_codebook(stream: StreamStatistics) -> None:
    stream.add(lane(16, MAX_IDS, 10**17), 1.0, "b")
    assert (stream.runs, stream.outside) == (11, 3)
    assert (stream.distinct, stream.used) == (5, 4)
    assert len(stream.counts) == 17


def test_ngrams_are_of_merged_runs() -> None:
    stream = StreamStatistics(Kind.PITCH)
    stream.add_span(np.array([1, 1, 2, 2, 2, 1, 2]))
    assert stream.bigrams.top(9) == [((1, 2), 2), ((2, 1), 1)]
    assert stream.spell((1, 2)) == "[Pi1][Pi2]"


def test_stream_to_json(stream: StreamStatistics) -> None:
    stream.add_span(np.array([1, 3, 1]))
    shown = json.loads(json.dumps(stream.to_json(), allow_nan=False))
    assert shown["counts"] == {"1": 4, "3": 2, "5": 1, "6": 1}
    assert shown["used_codebook_share"] == 0.25
    assert shown["longest_run"] == {"unit": "[Hu1]", "seconds": 1.68, "id": "a"}
    assert shown["trigrams"] == {
        "count": 1,
        "undercount": 0,
        "top": [{"units": "[Hu1][Hu3][Hu1]", "count": 1}],
    }
    assert shown["duration_ms"]["bins"][:2] == [
        {"from": 40, "below": 80, "count": 6},
        {"from": 80, "below": 120, "count": 1},
    ]
    assert shown["duration_ms"]["largest"] == 1680
