import io
import struct

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.mpeg import check_mpeg_frames
from spiritlm_cli.manifests.clip import FloatArray


def encode(samples: FloatArray, rate: int = 16000, channels: int = 1, mode: str = "CONSTANT") -> bytes:
    stream = io.BytesIO()
    frames = np.stack([samples] * channels, axis=1)
    soundfile.write(stream, frames, rate, format="MP3", bitrate_mode=mode)
    return stream.getvalue()


def check(content: bytes) -> str | None:
    return check_mpeg_frames(io.BytesIO(content))


@pytest.fixture(scope="module")
def mp3(samples: FloatArray) -> bytes:
    return encode(samples)


def id3(content: bytes) -> bytes:
    return b"ID3\x04\0\0" + bytes(len(content) >> 7 * i & 127 for i in (3, 2, 1, 0)) + content


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize(("channels", "mode"), [(1, "CONSTANT"), (2, "VARIABLE")])
def test_check_mpeg_frames(samples: FloatArray, rate: int, channels: int, mode: str) -> None:
    content = encode(samples[:40000], rate, channels, mode)
    half = len(content) // 2
    assert check(content) is None
    assert str(check(content[:half] + bytes(100) + content[half:])).startswith(
        "damaged: the 100 bytes from byte "
    )


def test_tags_are_no_damage(mp3: bytes) -> None:
    frame = mp3.index(mp3[:2], 1000)
    for content in (
        id3(b"x" * 300) + mp3,
        mp3 + b"TAG" + bytes(125),
        mp3 + b"APETAGEX" + bytes(99999),
        mp3[:frame] + id3(b"x" * 300) + mp3[frame:],
    ):
        assert check(content) is None


def test_the_stated_size(mp3: bytes) -> None:
    size = len(mp3)
    assert check(mp3[:-3000]) == f"cut off: {size - 3000} of {size} bytes are there"
    assert check(mp3[:-100]) is None  # inside the last frame
    more = f"its header says {size} bytes of sound, but {size} more follow"
    assert check(mp3 + mp3) == more
    assert check(mp3 + id3(bytes(5000)) + mp3) is not None


def test_other_files(mp3: bytes, samples: FloatArray) -> None:
    without_size = mp3.replace(b"Xing", b"Zing").replace(b"Info", b"Zing")
    flac = io.BytesIO()
    soundfile.write(flac, samples[:100], 16000, format="FLAC")
    for content in (
        b"",
        without_size,
        without_size[:-3000],
        2 * without_size,
        flac.getvalue(),
        b"\xff" * 300,
    ):
        assert check(content) is None


def test_a_vbri_header(mp3: bytes) -> None:
    place = mp3.index(b"\xff\xf3", 200)
    frame = bytearray(mp3[:place])
    frame[4:] = bytes(len(frame) - 4)
    frame[36:40], frame[46:50] = b"VBRI", struct.pack(">I", len(mp3))
    content = bytes(frame) + mp3[place:]
    assert check(content) is None
    assert "cut off" in str(check(content[:-3000]))


def test_random_bytes() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        head = b"\xff" + bytes(generator.integers(0xE0, 0x100, 1, np.uint8))
        check(head + generator.bytes(500))
