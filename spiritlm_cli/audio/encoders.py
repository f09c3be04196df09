"""Samples to the bytes of a sound, block by block: of any format to a file, of WAV to a pipe."""

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import FloatArray

# Takes (samples,) float32.
Put = Callable[[FloatArray], None]

# The subtypes of WAV that pipes have: the format's tag, and the bytes of a sample.
_PIPED = {"PCM_16": (1, 2), "FLOAT": (3, 4)}
# Lengths in the header of WAV have 32 bits; all ones stand for "not known".
_UNKNOWN = (1 << 32) - 1
# Bytes up to which one more block fits into a file with such lengths.
_LONGEST = (1 << 32) - (1 << 20)
# libsndfile's Vorbis encoder takes all it is given onto its stack.
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Encoding:
    """format, subtype: libsndfile's names; rate: samples a second."""

    format: str
    subtype: str
    rate: int

    @property
    def can_be_piped(self) -> bool:
        return self.format == "WAV" and self.subtype in _PIPED


@contextmanager
def encode_to_file(file: io.FileIO, encoding: Encoding, name: str) -> Iterator[Put]:
    """Gives what writes samples. The file is complete when the block is left without an error.

    Raises AudioError for a rate that the format doesn't have, and for WAV of 4 GB; OSError as `file` does.
    """
    import soundfile

    sink = _Sink(file)
    try:
        sound = soundfile.SoundFile(
            sink, "w", encoding.rate, 1, encoding.subtype, format=encoding.format, closefd=False
        )
    except soundfile.LibsndfileError:
        raise AudioError(
            f"{name}: {encoding.format} with {encoding.subtype} can't hold {encoding.rate} samples a second"
        ) from None

    def put(samples: FloatArray) -> None:
        for start in range(0, len(samples), _BLOCK):
            sound.write(samples[start : start + _BLOCK])
            sink.check()
            if encoding.format == "WAV" and file.tell() > _LONGEST:
                raise AudioError(f"{name}: longer than the 4 GB that a WAV file can hold; try .flac")

    with sound:
        yield put
    sink.check()


@contextmanager
def pipe_wav(stream: BinaryIO, encoding: Encoding, frames: int | None) -> Iterator[Put]:
    """Gives what writes samples, each time through to the stream's end.

    frames: what the header says of the length; None is "not known", in the form that others write to pipes.
    """
    import soundfile

    pending = _wav_header(encoding, frames)
    encoded = io.BytesIO()

    def flush() -> None:
        nonlocal pending
        write_all(stream, pending + encoded.getvalue())
        stream.flush()
        pending = b""
        encoded.seek(0)
        encoded.truncate()

    def put(samples: FloatArray) -> None:
        for start in range(0, len(samples), _BLOCK):
            sound.write(samples[start : start + _BLOCK])
            flush()

    # The samples of a WAV file without the rest, so that they are the same in pipes and in files.
    with soundfile.SoundFile(
        encoded, "w", encoding.rate, 1, encoding.subtype, "LITTLE", "RAW", closefd=False
    ) as sound:
        yield put
    if pending:
        flush()


def write_all(stream: BinaryIO, content: bytes) -> None:
    """Write until all is written: a stream without a buffer (stdout in `python -u`) may take a part at a time."""
    if not isinstance(stream, io.RawIOBase):
        stream.write(content)
        return
    rest = memoryview(content)
    while rest:
        rest = rest[stream.write(rest) or 0 :]


class _Sink:
    """What libsndfile writes a file through. Its callbacks can't raise: errors are kept for `check`."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._error: BaseException | None = None

    def write(self, content: bytes) -> int:
        try:
            if self._error is None:
                write_all(self._file, content)
        except BaseException as error:  # Ctrl-C too
            self._error = error
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def check(self) -> None:
        if self._error is not None:
            raise self._error


def _wav_header(encoding: Encoding, frames: int | None) -> bytes:
    """All before the samples, as in the "Multiple Channel Audio Data and WAVE Files" of 2001, for one channel.

    Formats that aren't PCM have a longer description, and a chunk that counts the samples.
    """
    tag, width = _PIPED[encoding.subtype]
    description = struct.pack("<HHIIHH", tag, 1, encoding.rate, encoding.rate * width, width, 8 * width)
    if tag != 1:
        description += struct.pack("<H", 0)
    chunks = b"WAVEfmt " + struct.pack("<I", len(description)) + description
    size = _UNKNOWN if frames is None else frames * width
    if tag != 1:
        chunks += struct.pack("<4sII", b"fact", 4, _UNKNOWN if frames is None else frames)
    whole = len(chunks) + 8 + size
    if whole > _UNKNOWN:
        size = whole = _UNKNOWN
    return struct.pack("<4sI", b"RIFF", whole) + chunks + struct.pack("<4sI", b"data", size)
