"""Count the streams of an Ogg file and the samples of a FLAC file.

libsndfile decodes the first of several Ogg streams in one file, and as many samples as the header of a FLAC file
states.
"""

import functools
import io
from dataclasses import dataclass

from spiritlm_cli.audio.chunks import SeekableStream

# Bytes at the end of a FLAC file in which its last frame is searched.
_FLAC_TAIL = 1 << 18
# Headers there whose frame is checked, which is slow: more than one is an accident, or the file is made for it.
_FLAC_CANDIDATES = 8


def count_ogg_streams(stream: SeekableStream) -> int:
    """Count the groups of streams that follow each other in an Ogg file (RFC 3533, section 4: "chaining").

    Stops at what is not a page. The position of the stream changes.
    """
    count, offset, in_headers = 0, 0, False
    while len(page := _read(stream, offset, 27)) == 27 and page[:4] == b"OggS":
        begins = bool(page[5] & 2)
        count += begins and not in_headers
        in_headers = begins
        segments = _read(stream, offset + 27, page[26])
        offset += 27 + len(segments) + sum(segments)
    return count


@dataclass(frozen=True)
class _FlacInfo:
    """Fields of STREAMINFO (RFC 9639, section 8.2). block: samples of a frame, if it is the same for all."""

    block: int
    samples: int


def find_flac_samples(stream: SeekableStream) -> tuple[int, int] | None:
    """Return the number of samples that a FLAC file states (0: unknown), and that of its frames by the last of them.

    Returns None if the file is no FLAC, or does not end with a frame. The position of the stream changes.
    """
    head = _read(stream, 0, 42)
    if head[:4] != b"fLaC" or len(head) < 42 or head[4] & 0x7F:
        return None
    info = _FlacInfo(int.from_bytes(head[8:10], "big"), int.from_bytes(head[18:26], "big") & ((1 << 36) - 1))
    tail = _read(stream, stream.seek(0, io.SEEK_END) - _FLAC_TAIL, _FLAC_TAIL)
    position, candidates = len(tail), 0
    while candidates < _FLAC_CANDIDATES and (position := tail.rfind(b"\xff", 0, position)) >= 0:
        end = _flac_frame_end(tail[position : position + 16], info)
        # The footer makes the CRC of a whole frame 0; it is slow to compute, and not needed to confirm what is stated.
        if end is None:
            continue
        candidates += 1
        if end == info.samples or not _crc(tail[position:], 0x8005, 16):
            return info.samples, end
    return None


def _flac_frame_end(header: bytes, info: _FlacInfo) -> int | None:
    """Return the number of samples up to the end of a frame, from its header (RFC 9639, section 9.1).

    header: from the beginning of the frame, may be longer. Returns None if it is no header of a frame.
    """
    if len(header) < 6 or header[1] & 0xFE != 0xF8 or header[3] & 1:
        return None
    size_code, rate_code = header[2] >> 4, header[2] & 15
    ones = 8 - (header[4] ^ 0xFF).bit_length()
    if size_code == 0 or rate_code == 15 or ones in (1, 8):
        return None
    number = header[4] & (0x7F >> ones)
    offset = 4 + max(1, ones)
    for byte in header[5:offset]:
        number = number << 6 | byte & 0x3F
    extra = {6: 1, 7: 2}.get(size_code, 0)
    length = int.from_bytes(header[offset : offset + extra], "big") + 1
    offset += extra + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if len(header) <= offset or _crc(header[: offset + 1], 0x07, 8):
        return None
    if size_code == 1:
        length = 192
    elif size_code < 6:
        length = 144 << size_code
    elif size_code >= 8:
        length = 1 << size_code
    return (number if header[1] & 1 else number * info.block) + length


def _crc(content: bytes, polynomial: int, bits: int) -> int:
    """Return the CRC of some bytes, most significant bit first, from 0."""
    table, mask = _crc_table(polynomial, bits), (1 << bits) - 1
    crc = 0
    for byte in content:
        crc = (crc << 8 & mask) ^ table[crc >> (bits - 8) ^ byte]
    return crc


@functools.cache
def _crc_table(polynomial: int, bits: int) -> list[int]:
    """Return the CRC of each byte."""
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    table = []
    for byte in range(256):
        crc = byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & top else 0)) & mask
        table.append(crc)
    return table


def _read(stream: SeekableStream, offset: int, size: int) -> bytes:
    stream.seek(max(0, offset))
    return stream.read(size) or b""
