"""Explain why a file can't be decoded, and detect files that are cut off."""

import codecs
import io
import re
import shlex
from pathlib import PurePath
from typing import Protocol

from spiritlm_cli.audio.chunks import SeekableStream, SoundData, is_unknown_size

# Formats that are read, by their magic bytes at offsets. libsndfile knows more, whose length it can't check.
_SUPPORTED = (
    {0: b"RIFF", 8: b"WAVE"},
    {0: b"RIFX", 8: b"WAVE"},
    {0: b"RF64", 8: b"WAVE"},
    {0: b"riff\x2e\x91\xcf\x11"},
    {0: b"FORM", 8: b"AIFF"},
    {0: b"FORM", 8: b"AIFC"},
    {0: b".snd"},
    {0: b"dns."},
    {0: b"caff"},
    {0: b"NIST_1A"},
    {0: b"fLaC"},
    {0: b"OggS"},
    {0: b"ID3"},
)
# Common formats that are not read: offset, magic bytes, name.
_UNSUPPORTED = (
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
    (0, b"Creative Voice File", "VOC"),
    (8, b"8SVX", "8SVX"),
    (0, b"\x64\xa3", "IRCAM"),
)
_OGG_CODECS = (b"\x01vorbis", b"OpusHead", b"Speex   ", b"\x7fFLAC")
_ARCHIVES = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"7z\xbc\xaf", "7-zip"),
)
_TOKEN_LINE_STARTS = ("#spiritlm ", "[SPEECH]", "[Speech]", "[TEXT]", "[Text]", "[Hu", "[Pi", "[St")
_MANIFEST_SUFFIXES = (".tsv", ".jsonl", ".scp")

# libsndfile logs this if the length in a chunk's header exceeds what is left of the file.
_CHUNK_LOG = re.compile(r"(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)")
# Some programs include the size of the header in the length.
_HEADER_SIZE = 64


class OpenAudio(Protocol):
    """The attributes of `soundfile.SoundFile` that are used here."""

    @property
    def frames(self) -> int: ...

    @property
    def format(self) -> str: ...

    @property
    def extra_info(self) -> str: ...


def is_supported(head: bytes) -> bool:
    """Whether a file begins as one of a format that is read. head: its first 12 bytes or more."""
    if any(all(head.startswith(magic, at) for at, magic in magics.items()) for magics in _SUPPORTED):
        return True
    # MPEG audio of any layer; in AAC, which begins in the same way, the bits of the layer are 0.
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and bool(head[1] & 6)


def explain_unreadable(head: bytes, name: str, recognized: bool) -> str:
    """Return what a file is that can't be decoded, and what to do about it, to follow its name in an error message.

    head: the first few hundred bytes. recognized: the decoder recognized the format and failed later.
    """
    if not head:
        return "the file is empty"
    text = _as_text(head)
    if text is not None:
        if text.startswith(_TOKEN_LINE_STARTS):
            return "not audio (token lines); try a sound file, or make one from them: spiritlm decode"
        if text.startswith("version https://git-lfs"):
            return "not audio (a Git LFS pointer); try: git lfs pull"
        if PurePath(name).suffix.lower() in _MANIFEST_SUFFIXES or text.startswith("{"):
            return f"not audio (text); try: --manifest {shlex.quote(name)}"
        return "not audio (text); try a sound file, such as WAV, FLAC, OGG or MP3"
    for offset, magic, format_name in _UNSUPPORTED:
        if head.startswith(magic, offset):
            return f"{format_name}, which can't be read here; try: {ffmpeg_command(name)}"
    for magic, format_name in _ARCHIVES:
        if head.startswith(magic):
            return f"not audio ({format_name} archive); try its contents, unpacked"
    if head.startswith(b"OggS"):
        recognized = any(codec in head for codec in _OGG_CODECS)
        if not recognized:
            return f"Ogg with an unknown codec, which can't be read here; try: {ffmpeg_command(name)}"
    if recognized:
        return "cut off or damaged: its header can't be read"
    return "not audio (unknown data); try a sound file, such as WAV, FLAC, OGG or MP3"


def ffmpeg_command(name: str) -> str:
    """Return the command that converts almost any audio or video file to WAV."""
    path = PurePath(name)
    output = path.stem + ("-converted.wav" if path.suffix.lower() == ".wav" else ".wav")
    return f"ffmpeg -i {shlex.quote(name)} -ac 1 -ar 16000 {shlex.quote(output)}"


def describe_sizes(sound_data: SoundData, name: str) -> str | None:
    """Return what is wrong with the stated size of sound data and what to do about it, or None."""
    stated, actual, surplus = sound_data.stated, sound_data.actual, sound_data.surplus
    if stated is None:
        return None
    if stated > actual + _HEADER_SIZE:
        return f"cut off: {actual} of {stated} bytes are there"
    if not surplus:
        return None
    problem = f"its header says {stated} bytes of sound, but {surplus} more follow that are no chunks"
    if not sound_data.is_wav:
        return problem
    command = ffmpeg_command(name).replace("ffmpeg ", "ffmpeg -ignore_length 1 ", 1)
    return f"{problem}; to read all of it, try: {command}"


def find_truncation(audio: OpenAudio, stream: SeekableStream) -> str | None:
    """Return how much is missing of the length that the file's header states, or None if nothing is known to be.

    The decoder does not report this: it decodes what is there. audio: the open file. stream: its bytes; the position is
    restored.
    """
    if match := _CHUNK_LOG.search(audio.extra_info):
        stated, actual = int(match[1]), int(match[2])
        if not is_unknown_size(stated) and stated > actual + _HEADER_SIZE:
            return f"{actual} of {stated} bytes are there"
    position = stream.seek(0, io.SEEK_CUR)
    try:
        if audio.format == "NIST":
            stream.seek(0)
            count = re.search(rb"sample_count -i (\d+)", stream.read(1024) or b"")
            if count and int(count[1]) > audio.frames:
                return f"{audio.frames} of {int(count[1])} samples are there"
        if audio.format == "OGG" and _ends_inside_page(stream):
            return "it ends inside an Ogg page"
        return None
    finally:
        stream.seek(position)


def _ends_inside_page(stream: SeekableStream) -> bool:
    """Whether the file ends before its last Ogg page does (RFC 3533, section 6)."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - 65307))  # the longest a page can be
    tail = stream.read(65307) or b""
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27:
        return True
    segments = page[27 : 27 + page[26]]
    return len(segments) < page[26] or len(page) < 27 + page[26] + sum(segments)


def _as_text(head: bytes) -> str | None:
    """Return the bytes as text, or None if they are not printable UTF-8 text."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c.isspace() for c in text) else None
