import pytest

from spiritlm_cli.inspection.histogram import Bin, Histogram


def test_histogram_bins() -> None:
    histogram = Histogram()
    histogram.add([0, 0.5, 1, 4, 5, 5.9])
    histogram.add([])
    assert histogram.bins() == [Bin(0, 1, 2), Bin(1, 2, 1), Bin(2, 3, 0), Bin(3, 4, 0), Bin(4, 6, 3)]
    assert histogram.bins(40)[-1] == Bin(160, 240, 3)
    assert (histogram.count, histogram.smallest, histogram.largest) == (6, 0, 5.9)
    assert histogram.mean == pytest.approx(16.4 / 6)


def test_histogram_of_large_values() -> None:
    histogram = Histogram()
    histogram.add([1e12])
    (only,) = histogram.bins()
    assert only.start <= 1e12 < only.end == pytest.approx(only.start * 4 / 3)


def test_histogram_to_json() -> None:
    histogram = Histogram()
    assert histogram.to_json() == {"count": 0, "mean": None, "smallest": None, "largest": None, "bins": []}
    histogram.add([2, 2])
    assert histogram.to_json(40) == {
        "count": 2,
        "mean": 80,
        "smallest": 80,
        "largest": 80,
        "bins": [{"from": 80, "below": 120, "count": 2}],
    }
