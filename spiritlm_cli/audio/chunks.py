"""Find the sound data of files that are made of chunks, and compare its stated size to what is in the file.

libsndfile believes the stated size. Recorders and pipes leave 0 or a maximum there, and a WAV file of more than 4 GB
has the low 32 bits of its size.

Formats: Microsoft, "Multiple Channel Audio Data and WAVE Files", 2001 (RIFF, RIFX); EBU Tech 3306 (RF64, BW64); Apple,
"Audio Interchange File Format", 1989; Apple Core Audio Format; Sun's AU.
"""

import io
import struct
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

# Chunks that are looked at, before and after the data; a file with more is left to the decoder.
_MAX_CHUNKS = 10_000
# Zeros that may follow the data: some recorders fill the last block of the disk.
_MAX_PADDING = 1 << 16
# Tags that players append, and chunks that may be cut off without loss of sound.
_TRAILERS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICS", b"LIST", b"id3 ", b"bext", b"_PMX", b"iXML")
# Writers to pipes state about 2^31 or almost 2^32 bytes for "unknown".
_UNKNOWN_SIZES = (1 << 31, 1 << 32)
_UNKNOWN_TOLERANCE = 1 << 16


class SeekableStream(Protocol):
    """A binary stream that can seek."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def read(self, size: int, /) -> bytes | None: ...


@dataclass(frozen=True)
class SoundData:
    """The sound data of a file.

    stated: its size in bytes as the header has it; None if the header says that it is unknown. actual: bytes from its
    start to the end of the file. surplus: bytes after the stated ones that are neither chunks nor padding. patch:
    offset in the file and new bytes of the size, with which the decoder reads to the end of the file. is_wav: whether
    the format is WAV.
    """

    stated: int | None
    actual: int
    surplus: int
    patch: tuple[int, bytes]
    is_wav: bool = False


@dataclass(frozen=True)
class _Layout:
    """How a format stores chunks.

    start: offset of the first chunk. data: id of the chunk with the sound. size: format of a size, for `struct`; its
    field follows the id. aligned: chunks begin at even offsets. prefix: bytes of the data chunk before the sound.
    unknown: the size with which libsndfile reads to the end of the file; None for the actual size.
    """

    start: int
    data: bytes
    size: str
    aligned: bool = True
    prefix: int = 0
    unknown: int | None = 0xFFFFFFFF


_AIFF = _Layout(12, b"SSND", ">I", prefix=8)
_CAF = _Layout(8, b"data", ">q", aligned=False, prefix=4, unknown=None)
_WAV_MAGICS = {b"RIFF": "<I", b"RIFX": ">I", b"RF64": "<I", b"BW64": "<I"}


def is_unknown_size(size: int) -> bool:
    """Whether a stated size in bytes means that the size was not known when the header was written."""
    return size < 0 or any(abs(size - unknown) <= _UNKNOWN_TOLERANCE for unknown in _UNKNOWN_SIZES)


def find_sound_data(stream: SeekableStream) -> SoundData | None:
    """Find the sound data of a WAV, RF64, AIFF, CAF or AU file. Returns None for other files.

    The position of the stream changes.
    """
    end = stream.seek(0, io.SEEK_END)
    head = _read(stream, 0, 40)
    if head[:4] in _WAV_MAGICS and head[8:12] == b"WAVE":
        long_size = None
        if head[:4] in (b"RF64", b"BW64") and head[12:16] == b"ds64" and len(head) >= 36:
            (long_size,) = struct.unpack("<q", head[28:36])
        sound_data = _find_chunk(stream, end, _Layout(12, b"data", _WAV_MAGICS[head[:4]]), long_size)
        return sound_data and replace(sound_data, is_wav=True)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _find_chunk(stream, end, _AIFF)
    if head[:4] == b"caff":
        return _find_chunk(stream, end, _CAF)
    if head[:4] in (b".snd", b"dns.") and len(head) >= 24:
        order = ">" if head[:4] == b".snd" else "<"
        start, stated = struct.unpack(f"{order}II", head[4:12])
        return _sound_data(stream, end, start, stated, (8, b"\xff" * 4)) if start <= end else None
    return None


def _find_chunk(
    stream: SeekableStream, end: int, layout: _Layout, long_size: int | None = None
) -> SoundData | None:
    """Return the data chunk of a file. long_size: the size of RF64, which replaces that of the chunk."""
    offset = layout.start
    for _ in range(_MAX_CHUNKS):
        chunk = _next_chunk(stream, offset, end, layout)
        if chunk is None:
            return None
        start = chunk.start
        if chunk.name != layout.data:
            offset = start + chunk.size
        elif long_size is not None:
            return _sound_data(stream, end, start, long_size, (28, struct.pack("<Q", end - start)), layout)
        else:
            size = struct.pack(layout.size, layout.unknown or end - start)
            stated = max(0, chunk.size - layout.prefix) if chunk.size >= 0 else chunk.size
            return _sound_data(stream, end, start + layout.prefix, stated, (start - len(size), size), layout)
    return None


def _sound_data(
    stream: SeekableStream,
    end: int,
    start: int,
    stated: int,
    patch: tuple[int, bytes],
    layout: _Layout | None = None,
) -> SoundData:
    """layout: of the chunks that may follow the data; None if no chunk can."""
    actual = end - start
    if stated > actual or stated < 0:
        return SoundData(None if is_unknown_size(stated) else stated, actual, 0, patch)
    surplus = _surplus(stream, start + stated, end, layout)
    if not stated and surplus:
        return SoundData(None, actual, 0, patch)
    return SoundData(stated, actual, surplus, patch)


def _surplus(stream: SeekableStream, start: int, end: int, layout: _Layout | None) -> int:
    """Return the number of bytes from `start` to the end of the file that are neither chunks nor padding."""
    for _ in range(_MAX_CHUNKS if layout else 0):
        assert layout
        chunk = _next_chunk(stream, start, end, layout)
        if chunk is None or not 0 <= chunk.size <= end - chunk.start:
            break
        start = chunk.start + chunk.size
    if start >= end or _read(stream, start, 8).lstrip(b"\0").startswith(_TRAILERS):
        return 0
    if end - start <= _MAX_PADDING and not _read(stream, start, end - start).strip(b"\0"):
        return 0
    return end - start


class _Chunk(NamedTuple):
    """A chunk: its id, the offset after its header, and its size as it states it."""

    name: bytes
    start: int
    size: int


def _next_chunk(stream: SeekableStream, offset: int, end: int, layout: _Layout) -> _Chunk | None:
    """Return the chunk that begins at an offset; None if there is none, or if it is longer than the file.

    The chunk with the sound is given whatever its size. Some writers leave out the byte that aligns a chunk.
    """
    width = 4 + struct.calcsize(layout.size)
    for place in (offset + offset % 2, offset) if layout.aligned else (offset,):
        header = _read(stream, place, width)
        if len(header) == width and all(0x20 <= byte < 0x7F for byte in header[:4]):
            (size,) = struct.unpack(layout.size, header[4:])
            if header[:4] == layout.data or 0 <= size <= end - place - width:
                return _Chunk(header[:4], place + width, size)
    return None


def _read(stream: SeekableStream, offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size) or b""


class PatchedFile(io.RawIOBase):
    """A seekable stream in which some bytes are replaced, for the decoder."""

    def __init__(self, stream: SeekableStream, offset: int, content: bytes) -> None:
        """offset, content: the bytes to replace."""
        self._stream, self._offset, self._content = stream, offset, content
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == io.SEEK_CUR:
            offset, whence = self._position + offset, io.SEEK_SET
        self._position = self._stream.seek(offset, whence)
        return self._position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        view = memoryview(buffer).cast("B")
        self._stream.seek(self._position)
        content = self._stream.read(len(view)) or b""
        view[: len(content)] = content
        for index, byte in enumerate(self._content, self._offset - self._position):
            if 0 <= index < len(content):
                view[index] = byte
        self._position += len(content)
        return len(content)
