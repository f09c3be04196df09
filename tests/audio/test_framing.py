import io
import struct

import pytest
import soundfile

from spiritlm_cli.audio.framing import check_mp3_size, count_ogg_streams, find_flac_samples
from spiritlm_cli.manifests.clip import FloatArray


def encode(samples: FloatArray, format: str, subtype: str | None = None) -> bytes:  # noqa: A002
    stream = io.BytesIO()
    soundfile.write(stream, samples, 16000, format=format, subtype=subtype)
    return stream.getvalue()


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_count_ogg_streams(samples: FloatArray, subtype: str) -> None:
    content = encode(samples[:16000], "OGG", subtype)
    for count in range(4):
        assert count_ogg_streams(io.BytesIO(count * content)) == count
    assert count_ogg_streams(io.BytesIO(content[:-1])) == 1
    assert count_ogg_streams(io.BytesIO(b"RIFF" + content)) == 0


@pytest.fixture(scope="module")
def mp3(samples: FloatArray) -> bytes:
    return encode(samples, "MP3")


def id3(content: bytes) -> bytes:
    return b"ID3\x04\0\0" + bytes(n >> 7 * i & 127 for i in (3, 2, 1, 0) for n in [len(content)]) + content


def test_check_mp3_size(mp3: bytes) -> None:
    for content in (mp3, id3(b"x" * 300) + mp3, mp3 + b"TAG" + bytes(125), mp3 + b"APETAGEX" + bytes(99999)):
        assert check_mp3_size(io.BytesIO(content)) is None
    size = len(mp3)
    assert check_mp3_size(io.BytesIO(mp3[:-3000])) == f"cut off: {size - 3000} of {size} bytes are there"
    more = f"its header says {size} bytes of sound, but {size} more follow"
    assert check_mp3_size(io.BytesIO(mp3 + mp3)) == more
    assert check_mp3_size(io.BytesIO(mp3 + id3(bytes(5000)) + mp3)) is not None


def test_check_mp3_size_of_files_that_state_none(mp3: bytes, samples: FloatArray) -> None:
    silent = mp3.replace(b"Xing", b"Zing").replace(b"Info", b"Zing")
    for content in (b"", silent, silent[:-3000], encode(samples[:100], "FLAC"), b"\xff" * 300):
        assert check_mp3_size(io.BytesIO(content)) is None


def test_check_mp3_size_of_a_vbri_header(mp3: bytes) -> None:
    place = mp3.index(b"\xff\xf3", 200)
    frame = bytearray(mp3[:place])
    frame[4:] = bytes(len(frame) - 4)
    frame[36:40], frame[46:50] = b"VBRI", struct.pack(">I", len(mp3))
    content = bytes(frame) + mp3[place:]
    assert check_mp3_size(io.BytesIO(content)) is None
    assert "cut off" in str(check_mp3_size(io.BytesIO(content[:-3000])))


def with_samples(flac: bytes, samples: int) -> bytes:
    """Replace the number of samples, which is the low 36 bits of bytes 18 to 25."""
    field = int.from_bytes(flac[18:26], "big") >> 36 << 36 | samples
    return flac[:18] + field.to_bytes(8, "big") + flac[26:]


@pytest.mark.parametrize("length", [1, 100, 4096, 4097, 10000, 146160])
def test_find_flac_samples(samples: FloatArray, length: int) -> None:
    flac = encode(samples[:length], "FLAC")
    for stated in (length, 0, 7):
        assert find_flac_samples(io.BytesIO(with_samples(flac, stated))) == (stated, length)


def test_find_flac_samples_of_other_files(samples: FloatArray) -> None:
    flac = with_samples(encode(samples, "FLAC"), 0)
    for content in (b"", b"fLaC", flac[:-10], flac + b"TAG" + bytes(125), bytes(100), flac[:60]):
        assert find_flac_samples(io.BytesIO(content)) is None
