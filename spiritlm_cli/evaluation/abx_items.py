"""Item files of ABX: where the phones of a corpus are, as in libri-light and ZeroSpeech 2021."""

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.text_files import numbered_lines, valid_lines

SliceRule = Literal["libri-light", "fastabx"]
# As the item files of libri-light begin.
COLUMNS = ("#file", "onset", "offset", "#phone", "prev-phone", "next-phone", "speaker")


@dataclass(frozen=True)
class AbxToken:
    """A phone in its context.

    file: name of the audio file, without suffix. onset, offset: in seconds, of what is compared.
    """

    file: str
    onset: float
    offset: float
    phone: str
    context: tuple[str, str]
    speaker: str


def read_abx_items(path: Path) -> list[AbxToken]:
    """Read an item file: a header line, then columns separated by spaces.

    Raises ManifestError, with file and line, for a first line that is an item, which would be lost, a line with other
    columns, times that are no times, and a file name that leads out of the folder.
    """
    lines = valid_lines(numbered_lines(path))
    first = next(lines, None)
    if first is None:
        raise ManifestError(f"{path}: empty; an item file begins with the line {' '.join(COLUMNS)}")
    if _is_item(first[1]):
        raise ManifestError(
            f"{path}: line {first[0]}: is an item; an item file begins with the line {' '.join(COLUMNS)}"
        )
    tokens = [_parse(text, f"{path}: line {number}") for number, text in lines if text.strip()]
    if not tokens:
        raise ManifestError(f"{path}: no items")
    return tokens


def frame_slice(
    onset: float, offset: float, rate: float, frames: int, rule: SliceRule = "libri-light"
) -> slice:
    """The frames of an interval of a file; frame i has its center at (i + ½) / rate seconds.

    frames: of the file. rule: "libri-light" leaves out the last frame whose center is in the interval; ABXpy and
    "fastabx" include it. The slice may be empty.
    """
    start = max(0, math.ceil(rate * onset - 0.5))
    stop = math.floor(rate * offset - 0.5) + (rule == "fastabx")
    return slice(start, max(start, min(frames, stop)))


def _is_item(line: str) -> bool:
    try:
        _parse(line, "")
    except ManifestError:
        return False
    return True


def _parse(text: str, where: str) -> AbxToken:
    columns = text.split()
    if len(columns) != len(COLUMNS):
        raise ManifestError(f"{where}: has {len(columns)} columns, expected {' '.join(COLUMNS)}")
    file, onset, offset, phone, before, after, speaker = columns
    name = PurePosixPath(file)
    if name.is_absolute() or ".." in name.parts:
        raise ManifestError(f"{where}: the file {file[:80]!r} leads out of the folder")
    try:
        start, end = float(onset), float(offset)
    except ValueError:
        raise ManifestError(
            f"{where}: onset and offset are seconds, not {onset[:40]!r} and {offset[:40]!r}"
        ) from None
    if not 0 <= start <= end < 1e9:
        raise ManifestError(f"{where}: not an interval: {onset[:40]} to {offset[:40]}")
    return AbxToken(file, start, end, phone, (before, after), speaker)
