"""Fields of rows that say which part of a recording is meant: start, end, offset and duration, in seconds."""

import math
import re
from collections.abc import Iterable, Mapping
from functools import cache

from spiritlm_cli.errors import ManifestError

# The names that `read_interval` reads.
TIME_FIELDS = frozenset(("start", "end", "offset", "duration"))
# Seconds that a time may be wrong because it was rounded.
ROUNDING = 0.011

_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*")
_POINT = r"start|begin|beg|onset|offset|end|stop|xmin|xmax|tmin|tmax|dur|duration|timestamps?"
_UNIT = r"times?|s|secs?|seconds?|ms|msecs?|millis(?:econds?)?|us|ns|samples?|frames?|pos|position|at"
_TIME_LIKE = re.compile(
    rf"(?:\w+_)?(?:{_POINT})(?:_(?:{_UNIT}))*"  # start_time, segment_end_ms
    rf"|(?:{_POINT})(?:{_UNIT})"  # endtime
    rf"|(?:time|t|s|sec|seconds?|ms|sample|frame|from|to)_?(?:{_POINT})"  # t_start
    r"|(?:from|to|time|length)_(?:s|secs?|seconds?|ms|msecs?)"  # from_ms
    r"|seconds"
)


@cache
def is_time_like(name: str) -> bool:
    """Return whether a field's name looks like that of a time, such as `begin`, `endTime` or `dur_ms`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", name).strip("_").lower()
    return bool(_TIME_LIKE.fullmatch(words))


def check_time_names(names: Iterable[str], where: str) -> None:
    """Raise ManifestError if a name is time-like and not one of `TIME_FIELDS`. where: file and line, for errors."""
    for name in names:
        if name not in TIME_FIELDS and is_time_like(name):
            raise ManifestError(
                f"{where}: the field {name!r} looks like a time, but is not one that is read: start, end, offset and "
                "duration, in seconds; rename it, or remove it"
            )


def read_interval(fields: Mapping[str, object], where: str) -> tuple[float | None, float | None]:
    """Return the start and the end of a row or a word, in seconds; None for what is not given.

    `offset` is another name of `start`; `duration` is the time from the start to the end.
    Raises ManifestError for a value that is not a number of seconds, for two that contradict each other, and for an
    unknown field that looks like a time.
    """
    check_time_names((name for name, value in fields.items() if value is not None), where)
    start, end, offset, duration = (
        read_seconds(fields, name, where) for name in ("start", "end", "offset", "duration")
    )
    if offset is not None:
        if start is not None and abs(start - offset) > ROUNDING:
            raise ManifestError(f"{where}: offset ({offset:g}) is not start ({start:g})")
        start = offset if start is None else start
    if duration is not None:
        stop = round((start or 0.0) + duration, 9)
        if end is not None and abs(end - stop) > ROUNDING:
            raise ManifestError(f"{where}: end ({end:g}) is not start and duration ({stop:g})")
        end = stop if end is None else end
    return start, end


def read_seconds(fields: Mapping[str, object], name: str, where: str) -> float | None:
    """Return a field as a number of seconds, 0 or more, or None if it is missing. Raises ManifestError."""
    value = fields.get(name)
    if value is None:
        return None
    seconds = math.nan
    if (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, str) and _NUMBER.fullmatch(value)
    ):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
    if not 0 <= seconds < math.inf:
        raise ManifestError(f"{where}: {name} is not a number of seconds: {str(value)[:40]!a}")
    return seconds
