import io

import pytest
import soundfile

from spiritlm_cli.audio.framing import count_ogg_streams, find_flac_samples
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


def test_find_flac_samples_of_a_tail_of_headers(samples: FloatArray) -> None:
    """A file whose tail has many headers, each of a frame with a wrong checksum, takes no time."""
    flac = with_samples(encode(samples[:5000], "FLAC"), 0)
    place = flac.rindex(b"\xff\xf8")
    assert find_flac_samples(io.BytesIO(flac + flac[place : place + 16] * 15_000)) is None
