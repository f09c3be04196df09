import io
import struct

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.chunks import PatchedFile, SoundData, find_sound_data, is_unknown_size
from spiritlm_cli.manifests.clip import FloatArray

# Format of a size, and bytes from the id of the chunk to the size, or the offset of the size in the file.
SIZES = {
    "WAV": ("<I", b"data"),
    "AIFF": (">I", b"SSND"),
    "CAF": (">q", b"data"),
    "AU": (">I", 8),
    "RF64": ("<q", 28),
}
PREFIXES = {"AIFF": 8, "CAF": 4}


def encode(samples: FloatArray, format: str, size: int | None = None) -> bytes:  # noqa: A002
    """size: what the header states, if not the size of the samples."""
    stream = io.BytesIO()
    soundfile.write(stream, samples, 16000, format=format, subtype="PCM_16")
    content = bytearray(stream.getvalue())
    if size is not None:
        kind, place = SIZES[format]
        offset = place if isinstance(place, int) else content.index(place) + 4
        field = struct.pack(kind, size + PREFIXES.get(format, 0) if size >= 0 else size)
        content[offset : offset + len(field)] = field
    return bytes(content)


def find(content: bytes) -> SoundData:
    sound_data = find_sound_data(io.BytesIO(content))
    assert sound_data
    return sound_data


@pytest.mark.parametrize("format", SIZES)
def test_find_sound_data(samples: FloatArray, format: str) -> None:  # noqa: A002
    size = 2 * len(samples)
    whole = find(encode(samples, format))
    assert (whole.stated, whole.actual, whole.surplus) == (size, size, 0)
    cut = find(encode(samples, format)[:-1000])
    assert (cut.stated, cut.actual, cut.surplus) == (size, size - 1000, 0)
    smaller = find(encode(samples, format, 96000))
    assert (smaller.stated, smaller.actual, smaller.surplus) == (96000, size, size - 96000)


@pytest.mark.parametrize(
    ("format", "size"),
    [
        *((name, 0) for name in SIZES),
        *(("WAV", size) for size in (0xFFFFFFFF, 0xFFFFFFFF - 36, 0x7FFFFFFF, 0x7FFFF000, 0x80000000)),
        ("AIFF", 0x7FFFFFFF),
        ("AU", 0xFFFFFFFF),
        ("CAF", -1),
        ("RF64", -1),
    ],
)
def test_find_sound_data_of_unknown_size(samples: FloatArray, format: str, size: int) -> None:  # noqa: A002
    content = encode(samples, format, size)
    sound_data = find(content)
    assert (sound_data.stated, sound_data.actual, sound_data.surplus) == (None, 2 * len(samples), 0)
    decoded, _ = soundfile.read(PatchedFile(io.BytesIO(content), *sound_data.patch), dtype="float32")
    assert np.array_equal(decoded, samples)


@pytest.mark.parametrize(
    "rest",
    [
        b"LIST" + struct.pack("<I", 4) + b"INFO",
        b"LIST" + struct.pack("<I", 5) + b"INFO\0\0" + b"bext" + struct.pack("<I", 0),
        b"LIST" + struct.pack("<I", 400) + b"INFO",  # cut off
        bytes(512),
        b"TAG" + bytes(125),
        b"ID3\x04",
    ],
)
def test_chunks_tags_and_padding_are_no_surplus(samples: FloatArray, rest: bytes) -> None:
    content = encode(samples[:1001], "WAV") + rest
    assert find(content).surplus == 0
    odd = bytearray(content[:-1])
    assert find(bytes(odd)).surplus == 0


def test_chunks_after_an_odd_size_with_and_without_padding(samples: FloatArray) -> None:
    stream = io.BytesIO()
    soundfile.write(stream, samples[:1001], 16000, format="WAV", subtype="PCM_U8")
    content = stream.getvalue().removesuffix(b"\0")
    chunk = b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert len(content) % 2
    assert find(content + chunk).surplus == 0
    assert find(content + b"\0" + chunk).surplus == 0
    odd = b"LIST" + struct.pack("<I", 5) + b"INFOx"
    assert find(content + odd + chunk).surplus == 0
    assert find(content + b"\0" + odd + b"\0" + chunk).surplus == 0
    assert find(content + odd + b"\1\2\3" * 9 + chunk).surplus == 27 + len(chunk)


def test_an_empty_wav_with_chunks_has_no_samples() -> None:
    sound_data = find(encode(np.zeros(0, np.float32), "WAV") + b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert (sound_data.stated, sound_data.surplus) == (0, 0)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVE" + bytes(99), b"fLaC" + bytes(99)]
)
def test_find_sound_data_of_other_files(content: bytes) -> None:
    assert find_sound_data(io.BytesIO(content)) is None


def test_is_unknown_size() -> None:
    assert all(map(is_unknown_size, (-1, 0xFFFFFFFF, 0x7FFFF000, 0x80000000)))
    assert not any(map(is_unknown_size, (0, 96000, 0x60000000, 0xD0001234, 1 << 40)))


def test_patched_file() -> None:
    file = PatchedFile(io.BytesIO(b"0123456789"), 3, b"abc")
    assert file.read() == b"012abc6789"
    assert file.seek(4) == file.tell() == 4
    assert file.read(3) == b"bc6"
    assert file.seek(-2, io.SEEK_CUR) == 5
    assert file.read(1) == b"c"
    assert file.seek(0, io.SEEK_END) == 10
