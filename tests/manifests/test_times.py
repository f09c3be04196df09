import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.times import check_time_names, is_time_like, read_interval, read_seconds


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, None)),
        ({"start": "1.5", "end": 2}, (1.5, 2.0)),
        ({"duration": 2.5}, (None, 2.5)),
        ({"start": 1, "duration": 2.5}, (1.0, 3.5)),
        ({"offset": 1, "duration": "2.5"}, (1.0, 3.5)),
        ({"offset": 0.1, "duration": 0.2}, (0.1, 0.3)),
        ({"start": 1, "offset": 1.001, "end": 3.5, "duration": 2.5}, (1.0, 3.5)),
        ({"start": 1, "begin": None}, (1.0, None)),
    ],
)
def test_read_interval(fields: dict[str, object], expected: tuple[float | None, float | None]) -> None:
    assert read_interval(fields, "m: line 1") == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"start": 1, "offset": 2}, r"offset \(2\) is not start \(1\)"),
        ({"start": 1, "end": 2, "duration": 2}, r"end \(2\) is not start and duration \(3\)"),
        ({"duration": -1}, "duration is not a number of seconds: '-1'"),
        ({"duration": "NaN"}, "duration is not a number of seconds: 'NaN'"),
        ({"begin": 1}, "the field 'begin' looks like a time"),
    ],
)
def test_read_interval_errors(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ManifestError, match=f"^m: line 1: {message}"):
        read_interval(fields, "m: line 1")


@pytest.mark.parametrize(
    "value",
    ["", "soon", "1_0", "-1", "nan", "inf", "1e999", "9" * 5000, "٣", True, [1], 10**400, float("nan"), -0.5],
)
def test_read_seconds_errors(value: object) -> None:
    with pytest.raises(ManifestError, match=r"^m: start is not a number of seconds: "):
        read_seconds({"start": value}, "start", "m")


@pytest.mark.parametrize(
    "name",
    ["begin", "stop", "dur", "Start", "start ", "start_time", "startTime", "end_ms", "endtime", "t_start",
     "segment_start", "audio_end", "onset", "xmin", "timestamp", "duration_ms", "seconds", "from_ms", "begin_sec",
     "start_sample"],
)  # fmt: skip
def test_time_like_names(name: str) -> None:
    assert is_time_like(name)
    with pytest.raises(ManifestError, match="looks like a time"):
        check_time_names([name], "m")


@pytest.mark.parametrize(
    "name",
    ["text", "speaker", "voice", "n_frames", "num_samples", "sample_rate", "samples", "date", "recorded_time",
     "restart", "gender", "friend", "calendar", "score", "lang", "chapter_id", "sentence", "frequency", "path"],
)  # fmt: skip
def test_other_names(name: str) -> None:
    assert not is_time_like(name)


def test_the_names_that_are_read() -> None:
    check_time_names(["start", "end", "offset", "duration"], "m")
