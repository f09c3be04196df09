"""What a file is that can't be decoded, and whether one that can is all there."""

import codecs
import io
import re
import shlex
from pathlib import PurePath
from typing import Protocol

# Of what people have and libsndfile doesn't read: where its first bytes are, and what they are.
_FOREIGN = (
    (4, b"ftyp", "MP4, M4A or MOV"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (8, b"AVI ", "AVI"),
    (0, b"FLV\x01", "Flash video"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
    (0, b"\x00\x00\x01\xba", "MPEG video"),
    (0, b"\x47\x40", "MPEG transport stream"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"#!AMR", "AMR"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
)
_OGG_CODECS = (b"\x01vorbis", b"OpusHead", b"Speex   ", b"\x7fFLAC")
_PACKED = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"7z\xbc\xaf", "7-zip"),
)
_TOKENS = ("#spiritlm ", "[SPEECH]", "[Speech]", "[TEXT]", "[Text]", "[Hu", "[Pi", "[St")
_MANIFESTS = (".tsv", ".jsonl", ".scp")

# What libsndfile logs where a chunk says it is longer than what is left of the file.
_CHUNK = re.compile(r"(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)")
# Lengths from here up stand for "not known" in streams: 2^31 - 1, 2^32 - 1 and a few just below.
_UNKNOWN = 0x7F000000
# Programs exist that count the header into the length.
_HEADER = 64


class Readable(Protocol):
    """A binary stream that can be read anywhere."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def read(self, size: int, /) -> bytes | None: ...


class Sound(Protocol):
    """What soundfile says of an open file."""

    @property
    def frames(self) -> int: ...

    @property
    def format(self) -> str: ...

    @property
    def extra_info(self) -> str: ...


def why_unreadable(head: bytes, name: str, recognised: bool) -> str:
    """What a file is that can't be decoded, and what to do, for a message that begins with its name.

    head: its first bytes (some hundreds). recognised: the decoder knows the format and failed later.
    """
    if not head:
        return "the file is empty"
    text = _as_text(head)
    if text is not None:
        if text.startswith(_TOKENS):
            return "not audio (token lines); try: spiritlm decode"
        if text.startswith("version https://git-lfs"):
            return "not audio (a Git LFS pointer); try: git lfs pull"
        if PurePath(name).suffix.lower() in _MANIFESTS or text.startswith("{"):
            return f"not audio (text); try: --manifest {shlex.quote(name)}"
        return "not audio (text); try a sound file, such as WAV, FLAC, OGG or MP3"
    for offset, magic, what in _FOREIGN:
        if head.startswith(magic, offset):
            return f"{what}, which can't be read here; try: {to_wav(name)}"
    for magic, what in _PACKED:
        if head.startswith(magic):
            return f"not audio ({what} archive); try its contents, unpacked"
    if head.startswith(b"OggS"):
        recognised = any(codec in head for codec in _OGG_CODECS)
        if not recognised:
            return f"Ogg with an unknown codec, which can't be read here; try: {to_wav(name)}"
    if recognised:
        return "cut off or damaged: its header can't be read"
    return "not audio (unknown data); try a sound file, such as WAV, FLAC, OGG or MP3"


def to_wav(name: str) -> str:
    """The command that makes a WAV file of (nearly) anything."""
    return f"ffmpeg -i {shlex.quote(name)} -ac 1 -ar 16000 {shlex.quote(PurePath(name).stem + '.wav')}"


def why_cut_off(sound: Sound, stream: Readable) -> str | None:
    """How much is missing of what the file's own header promises; None where all is there or nobody can tell.

    sound: the open file; stream: its bytes, left as it is found. The decoder is silent about this: it takes
    what is left as all there was.
    """
    if found := _CHUNK.search(sound.extra_info):
        promised, there = int(found[1]), int(found[2])
        if promised < _UNKNOWN and promised > there + _HEADER:
            return f"{there} of {promised} bytes are there"
    place = stream.seek(0, io.SEEK_CUR)
    try:
        if sound.format == "NIST":
            stream.seek(0)
            counted = re.search(rb"sample_count -i (\d+)", stream.read(1024) or b"")
            if counted and int(counted[1]) > sound.frames:
                return f"{sound.frames} of {int(counted[1])} samples are there"
        if sound.format == "OGG" and _ends_inside_page(stream):
            return "it ends inside an Ogg page"
        return None
    finally:
        stream.seek(place)  # the decoder reads on from here


def _ends_inside_page(stream: Readable) -> bool:
    """Whether the last Ogg page is longer than what is left of the file (RFC 3533, section 6)."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - 65307))  # the longest a page can be
    tail = stream.read(65307) or b""
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27:
        return True
    segments = page[27 : 27 + page[26]]
    return len(segments) < page[26] or len(page) < 27 + page[26] + sum(segments)


def _as_text(head: bytes) -> str | None:
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c.isspace() for c in text) else None
