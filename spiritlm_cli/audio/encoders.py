"""Encode samples block by block: any format to a file, WAV to a pipe."""

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import FloatArray

# Writes samples, (samples,) float32.
WriteSamples = Callable[[FloatArray], None]

# Subtypes of WAV that can be written to a pipe: format tag, and bytes per sample.
_PIPE_SUBTYPES = {"PCM_16": (1, 2), "FLOAT": (3, 4)}
# Lengths in a WAV header have 32 bits; all ones means "unknown".
_UNKNOWN_SIZE = (1 << 32) - 1
# Size in bytes up to which one more block fits into a WAV file.
_MAX_WAV_SIZE = (1 << 32) - (1 << 20)
# Samples encoded at a time: libsndfile's Vorbis encoder copies its whole input to the stack.
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Encoding:
    """A format and subtype, in libsndfile's names, and a sampling rate in Hz."""

    format: str
    subtype: str
    rate: int

    @property
    def can_be_piped(self) -> bool:
        """Whether `encode_wav_to_pipe` can encode it."""
        return self.format == "WAV" and self.subtype in _PIPE_SUBTYPES


@contextmanager
def encode_to_file(file: io.FileIO, encoding: Encoding, name: str) -> Iterator[WriteSamples]:
    """Give a function that encodes samples to a seekable file. The file is complete when the block ends.

    file: open for writing, empty. name: of the file, for errors.
    Raises AudioError for a rate that the format does not have, and for a WAV file over 4 GB; OSError if `file` does.
    """
    import soundfile

    sink = _Sink(file)
    try:
        encoder = soundfile.SoundFile(
            sink, "w", encoding.rate, 1, encoding.subtype, format=encoding.format, closefd=False
        )
    except soundfile.LibsndfileError:
        raise AudioError(
            f"{name}: {encoding.format} with {encoding.subtype} can't hold a sampling rate of {encoding.rate} Hz"
        ) from None

    def write(samples: FloatArray) -> None:
        for start in range(0, len(samples), _BLOCK):
            encoder.write(samples[start : start + _BLOCK])
            sink.check()
            if encoding.format == "WAV" and file.tell() > _MAX_WAV_SIZE:
                raise AudioError(f"{name}: longer than the 4 GB that a WAV file can hold; try .flac")

    with encoder:
        yield write
    sink.check()


@contextmanager
def encode_wav_to_pipe(stream: BinaryIO, encoding: Encoding, frames: int | None) -> Iterator[WriteSamples]:
    """Give a function that encodes samples as WAV and flushes them to a stream, which need not be seekable.

    frames: number of samples, for the header. None writes lengths of 2^32 - 1, which readers take for "unknown".
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

    def write(samples: FloatArray) -> None:
        for start in range(0, len(samples), _BLOCK):
            encoder.write(samples[start : start + _BLOCK])
            flush()

    # libsndfile encodes the samples here too, without a header, so that a pipe gets the same samples as a file.
    with soundfile.SoundFile(
        encoded, "w", encoding.rate, 1, encoding.subtype, "LITTLE", "RAW", closefd=False
    ) as encoder:
        yield write
    if pending:
        flush()


def write_all(stream: BinaryIO, content: bytes) -> None:
    """Write all of `content`; one `write` to an unbuffered stream, such as stdout in `python -u`, may write less."""
    if not isinstance(stream, io.RawIOBase):
        stream.write(content)
        return
    rest = memoryview(content)
    while rest:
        rest = rest[stream.write(rest) or 0 :]


class _Sink:
    """The file object that libsndfile writes to. Its callbacks can't raise, so `check` raises the first error."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._error: BaseException | None = None

    def write(self, content: bytes) -> int:
        try:
            if self._error is None:
                write_all(self._file, content)
        except BaseException as error:  # KeyboardInterrupt too
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
    """Return the header of a mono WAV file: all bytes before the samples.

    Layout: Microsoft, "Multiple Channel Audio Data and WAVE Files", 2001. Formats other than PCM have a longer format
    chunk, and a fact chunk with the number of samples. frames: None for "unknown".
    """
    tag, width = _PIPE_SUBTYPES[encoding.subtype]
    format_chunk = struct.pack("<HHIIHH", tag, 1, encoding.rate, encoding.rate * width, width, 8 * width)
    if tag != 1:
        format_chunk += struct.pack("<H", 0)
    chunks = b"WAVEfmt " + struct.pack("<I", len(format_chunk)) + format_chunk
    size = _UNKNOWN_SIZE if frames is None else frames * width
    if tag != 1:
        chunks += struct.pack("<4sII", b"fact", 4, _UNKNOWN_SIZE if frames is None else frames)
    riff_size = len(chunks) + 8 + size
    if riff_size > _UNKNOWN_SIZE:
        size = riff_size = _UNKNOWN_SIZE
    return struct.pack("<4sI", b"RIFF", riff_size) + chunks + struct.pack("<4sI", b"data", size)
