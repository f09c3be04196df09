"""Lines of text files of unknown size and content, read with a bound on what is held in memory."""

import gzip
import math
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from spiritlm_cli.errors import ManifestError, SpiritLMError
from spiritlm_cli.files import read_limited
from spiritlm_cli.streams import standard_input

# Bytes of the longest line that is read. As token lines these are about 19 hours of speech.
MAX_LINE = 1 << 24
# Bytes of the longest file that is read as a whole, such as a TextGrid.
MAX_FILE = 64_000_000
# A gzipped file may be this many times as large when it is decompressed, and so many bytes more. Text that is not made
# to take time and disk space is compressed to a tenth or so.
MAX_INFLATION = 100
MIN_INFLATED = 1 << 26
_CHUNK = 1 << 16

# A line without its end, or the error in its place, after its number.
NumberedLine = tuple[int, str | ManifestError]

# How audio files begin, which are often given instead of text.
_AUDIO = re.compile(rb"RIFF....WAVE|fLaC|OggS|ID3[\2-\4]|\xff[\xf2-\xfb]|FORM....AIF|.{4}ftyp", re.DOTALL)


def bounded_lines(stream: BinaryIO, *, cr: bool = False) -> Iterator[bytes]:
    """Yield the lines of a stream with their ends, each as soon as it has arrived.

    Of a line of more than `MAX_LINE` bytes, the first `MAX_LINE` + 1 bytes are yielded, and the others are skipped
    without being kept. cr: a CR that no LF follows ends a line too, as on old systems; otherwise only LF does.
    """
    read = getattr(stream, "read1", stream.read)
    line = bytearray()
    ended = False  # by a CR at the end of a chunk, unless an LF follows
    while chunk := read(_CHUNK):
        if ended and not chunk.startswith(b"\n"):
            yield bytes(line)
            line.clear()
        pieces = chunk.splitlines(keepends=True) if cr else _split_at_lf(chunk)
        for left, piece in enumerate(pieces, 1 - len(pieces)):
            extend_line(line, piece)
            if piece.endswith(b"\n") or (cr and piece.endswith(b"\r") and left):
                yield bytes(line)
                line.clear()
        ended = cr and pieces[-1].endswith(b"\r")
    if line:
        yield bytes(line)


def _split_at_lf(chunk: bytes) -> list[bytes]:
    *ends, rest = chunk.split(b"\n")
    return [end + b"\n" for end in ends] + ([rest] if rest else [])


def extend_line(line: bytearray, content: bytes) -> None:
    """Add bytes to a line, up to `MAX_LINE` + 1 bytes."""
    line += content[: MAX_LINE + 1 - len(line)]


def is_too_long(line: bytes | bytearray) -> bool:
    """Return whether `bounded_lines` cut a line off."""
    return len(line) > MAX_LINE


def too_long_message() -> str:
    """Return what is wrong with a line that `bounded_lines` cut off."""
    return f"longer than {MAX_LINE >> 20} MiB, the longest line that is read"


def numbered_lines(path: Path | str) -> Iterator[NumberedLine]:
    """Yield the lines of a UTF-8 text file, without their ends, with their numbers from 1.

    path: of a file, which is decompressed if its name ends in .gz, or "-" for standard input. Lines end at LF, CRLF or
    CR. A byte-order mark is removed. A line that is not UTF-8 or longer than `MAX_LINE` is an error in its place.
    Raises ManifestError, with the name of the file, if it can't be read, and for a gzipped file of which more than
    `max_inflated` bytes would be read.
    """
    name = "stdin" if str(path) == "-" else str(path)
    with read_errors(name), open_text(path) as stream:
        left = max_inflated(path)
        for line_number, line in enumerate(bounded_lines(stream, cr=True), 1):
            left -= len(line)
            if left < 0:
                raise inflated_error(name)
            yield line_number, _decode(line, line_number, f"{name}: line {line_number}")


def max_inflated(path: Path | str) -> float:
    """Return how many bytes are read of a file: a number for a gzipped one, infinity for all others."""
    path = Path(path)
    if path.suffix.lower() != ".gz" or not path.is_file():
        return math.inf
    return MIN_INFLATED + MAX_INFLATION * path.stat().st_size


def inflated_error(name: str) -> ManifestError:
    """Return the error for a file of which more than `max_inflated` bytes would be read."""
    return ManifestError(
        f"{name}: is more than {MAX_INFLATION} times as large when decompressed; decompress it first"
    )


def valid_lines(lines: Iterable[NumberedLine]) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers, and raise the first error among them."""
    for line_number, line in lines:
        if isinstance(line, ManifestError):
            raise line
        yield line_number, line


def _decode(line: bytes, line_number: int, where: str) -> str | ManifestError:
    if is_too_long(line):
        return ManifestError(f"{where}: {too_long_message()}")
    try:
        return line.decode("utf-8-sig" if line_number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return ManifestError(f"{where}: not UTF-8 text")


def read_whole(path: Path | str) -> bytes:
    """Return the content of a file of at most `MAX_FILE` bytes. Raises ManifestError, with its name and the reason."""
    return read_limited(Path(path), MAX_FILE, ManifestError)


def open_text(path: Path | str) -> AbstractContextManager[BinaryIO]:
    """Open a file, which is decompressed as it is read if its name ends in .gz, or standard input ("-")."""
    if str(path) == "-":
        return nullcontext(standard_input())
    path = Path(path)
    return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


@contextmanager
def read_errors(name: str, error_type: type[SpiritLMError] = ManifestError) -> Iterator[None]:
    """Raise `error_type`, with the name of a file and the reason, if it can't be opened or read in the block."""
    try:
        yield
    except FileNotFoundError:
        raise error_type(f"{name}: no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise error_type(f"{name}: gzip data is cut off or damaged") from None
    except OSError as error:
        raise error_type(f"{name}: can't be read ({error.strerror or error})") from None


def is_audio(content: bytes) -> bool:
    """Whether this is how an audio file begins. content: 16 bytes or more of it."""
    return _AUDIO.match(content) is not None
