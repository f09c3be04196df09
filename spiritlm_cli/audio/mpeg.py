"""Check the frames of MP3 files, before libmpg123 decodes them.

libmpg123 skips what is no frame, decodes as much as the first frame states, and writes warnings to stderr. Sources:
ISO/IEC 11172-3 and 13818-3; "MPEG Audio Frame Header", K. Windszus, 2007, for the headers called Xing, Info and VBRI.
"""

import functools
import io
import struct

from spiritlm_cli.audio.chunks import SeekableStream

# Share by which the size of a file may differ from the one that its first frame states.
_TOLERANCE = 0.01
# Bytes in which the next frame is searched.
_SEARCH = 1 << 16
# Bytes read at a time.
_BLOCK = 1 << 18
# Tags that follow the frames.
_TAGS = (b"TAG", b"APETAGEX", b"LYRICS")
# In kbit/s, by version (1, or 2 for 2 and 2.5) and layer; the index 0 is for other rates, 15 is invalid.
_BITRATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)


def check_mpeg_frames(stream: SeekableStream) -> str | None:
    """Return what is wrong with the frames of an MP3 file, or None: also if it is none, or if its frames have any size.

    The position of the stream changes.
    """
    start = _skip_id3(stream, 0)
    first = _read(stream, start, 192)
    if not _frame_size(first[:3]):
        return None
    offset = _skip_frames(stream, start, first[:3])
    following = _find_frame(stream, offset, first)
    if following is None:
        return _check_size(stream, start, first)
    return f"damaged: the {following - offset} bytes from byte {offset} on are no MPEG frame"


def _skip_frames(stream: SeekableStream, start: int, first: bytes) -> int:
    """Return the offset after all frames of one format, and ID3v2 tags between them. first: header of the first."""
    while True:
        content, place = _read(stream, start, _BLOCK), 0
        while place + 4 <= len(content) and (size := _next_size(content[place : place + 3], first)):
            place += size
        start += place
        if place + 4 <= len(content):
            after = _skip_id3(stream, start)
            if after == start:
                return start
            start = after
        elif not place:
            return start


@functools.lru_cache(maxsize=4096)
def _next_size(header: bytes, first: bytes) -> int:
    """Return the size of a frame that has the format of the first one; 0 if it hasn't."""
    return _frame_size(header) if _same_format(header, first) else 0


def _check_size(stream: SeekableStream, start: int, first: bytes) -> str | None:
    """Compare the size of a file to the one that its first frame states, if it does."""
    stated = 0
    for name in (b"Xing", b"Info"):
        place = first.find(name, 4, 64)
        if place >= 0 and len(first) == 192 and first[place + 7] & 2:
            offset = place + 8 + 4 * (first[place + 7] & 1)
            (stated,) = struct.unpack(">I", first[offset : offset + 4])
    if first[36:40] == b"VBRI" and len(first) == 192:
        (stated,) = struct.unpack(">I", first[46:50])
    actual = stream.seek(0, io.SEEK_END) - start
    if actual < stated - _TOLERANCE * stated:
        return f"cut off: {actual} of {stated} bytes are there"
    more = actual - stated
    if stated and more > _TOLERANCE * stated and _find_frame(stream, start + stated, first) is not None:
        return f"its header says {stated} bytes of sound, but {more} more follow"
    return None


def _find_frame(stream: SeekableStream, start: int, first: bytes) -> int | None:
    """Return the offset of the next frame of the format of `first`, after which another follows or the file ends."""
    start = _skip_id3(stream, start)
    content = _read(stream, start, _SEARCH)
    if content.startswith(_TAGS):
        return None
    place = content.find(b"\xff")
    while 0 <= place < len(content) - 3:
        if size := _next_size(content[place : place + 3], first[:3]):
            following = _read(stream, start + place + size, 3)
            if not following or _next_size(following, first[:3]):
                return start + place
        place = content.find(b"\xff", place + 1)
    return None


def _same_format(header: bytes, other: bytes) -> bool:
    """Whether two headers of frames have the same version, layer and sampling rate."""
    return (
        len(header) > 2
        and header[0] == 0xFF
        and header[1] & 0xFE == other[1] & 0xFE
        and header[2] & 0x0C == other[2] & 0x0C
    )


def _frame_size(header: bytes) -> int:
    """Return the size of a frame in bytes, from its first three bytes; 0 if it is none, or has any bit rate."""
    if len(header) < 3 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return 0
    bits = 1000 * _BITRATES[1 if version == 3 else 2, layer][bitrate - 1]
    hertz = _RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    padding = header[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // hertz + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bits // hertz + padding


def _skip_id3(stream: SeekableStream, start: int) -> int:
    """Return the offset after all ID3v2 tags at an offset."""
    while (tag := _read(stream, start, 10))[:3] == b"ID3" and len(tag) == 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
        start += 10 + size + 10 * bool(tag[5] & 0x10)
    return start


def _read(stream: SeekableStream, offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size) or b""
