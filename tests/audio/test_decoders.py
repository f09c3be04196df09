import io
import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.decoders import open_decoder
from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import FloatArray


def encode(samples: FloatArray, format: str, subtype: str | None = None) -> bytes:  # noqa: A002
    stream = io.BytesIO()
    soundfile.write(stream, samples, 16000, format=format, subtype=subtype)
    return stream.getvalue()


def message(source: Path | io.BytesIO) -> str:
    with pytest.raises(AudioError) as caught, open_decoder(source, "x.wav"):
        pass
    assert str(caught.value).startswith("x.wav: ")
    return str(caught.value).removeprefix("x.wav: ")


def with_data_size(wav: bytes, size: int) -> bytes:
    offset = wav.index(b"data") + 4
    return wav[:offset] + struct.pack("<I", size) + wav[offset + 4 :]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_wav_of_unknown_length_is_read_to_its_end(
    tmp_path: Path, samples: FloatArray, size: int, subtype: str
) -> None:
    path = tmp_path / "streamed.wav"
    path.write_bytes(with_data_size(encode(samples, "WAV", subtype), size))
    assert np.array_equal(read_audio(path).samples, samples)
    assert np.array_equal(read_audio(io.BytesIO(path.read_bytes())).samples, samples)
    assert np.array_equal(read_audio(path, start=1, end=2).samples, samples[16000:32000])


@pytest.mark.parametrize(
    ("offset", "field", "expected"),
    [
        (22, struct.pack("<H", 0), "cut off or damaged: its header can't be read"),  # channels
        (22, struct.pack("<H", 0xFFFF), "cut off or damaged: its header can't be read"),
        (24, struct.pack("<I", 0), "cut off or damaged: its header can't be read"),  # sampling rate
        (24, struct.pack("<I", 999), "a sampling rate of 999 Hz can't be right"),
        (24, struct.pack("<I", 1_000_001), "a sampling rate of 1000001 Hz can't be right"),
        (24, struct.pack("<I", 0x7FFFFFFF), "a sampling rate of 2147483647 Hz can't be right"),
        (34, struct.pack("<H", 0), "cut off or damaged: its header can't be read"),  # bits
        (34, struct.pack("<H", 0xFFFF), "cut off or damaged: its header can't be read"),
    ],
)
def test_numbers_that_no_sound_has(samples: FloatArray, offset: int, field: bytes, expected: str) -> None:
    wav = encode(samples[:1000], "WAV")
    assert message(io.BytesIO(wav[:offset] + field + wav[offset + len(field) :])) == expected


@pytest.mark.parametrize("size", [0, 100, 1 << 30, 0xFFFFFFFF])
def test_the_riff_size_does_not_matter(samples: FloatArray, size: int) -> None:
    content = encode(samples, "WAV")
    content = content[:4] + struct.pack("<I", size) + content[8:]
    assert np.array_equal(read_audio(io.BytesIO(content)).samples, samples)


def test_wav_with_a_size_that_is_too_small(tmp_path: Path, samples: FloatArray) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(with_data_size(encode(samples, "WAV"), 96000))
    assert message(path) == (
        "its header says 96000 bytes of sound, but 196320 more follow that are no chunks; to read all of it, "
        "try: ffmpeg -ignore_length 1 -i x.wav -ac 1 -ar 16000 x-converted.wav"
    )


def test_wav_with_a_size_that_is_too_small_by_4_gb(tmp_path: Path, samples: FloatArray) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(encode(samples[:48000], "WAV"))
    os.truncate(path, 44 + 96000 + (1 << 32))
    assert message(path).startswith("its header says 96000 bytes of sound, but 4294967296 more follow")


@pytest.mark.parametrize("size", [400_000, 0x60000000, 0xD0001234])
def test_wav_with_a_size_that_is_too_large(samples: FloatArray, size: int) -> None:
    content = with_data_size(encode(samples, "WAV"), size)
    assert message(io.BytesIO(content)) == f"cut off: 292320 of {size} bytes are there"


@pytest.mark.parametrize("format", ["AIFF", "CAF", "AU", "RF64"])
def test_sound_after_the_stated_end(samples: FloatArray, format: str) -> None:  # noqa: A002
    content = encode(samples, format, "PCM_16") + bytes(range(1, 101)) * 30
    text = "its header says 292320 bytes of sound, but 3000 more follow that are no chunks"
    assert message(io.BytesIO(content)).startswith(text)


def with_samples(flac: bytes, samples: int) -> bytes:
    """Replace the number of samples, which is the low 36 bits of bytes 18 to 25."""
    field = int.from_bytes(flac[18:26], "big") >> 36 << 36 | samples
    return flac[:18] + field.to_bytes(8, "big") + flac[26:]


def test_flac_of_unknown_length_is_read_to_its_end(samples: FloatArray) -> None:
    content = with_samples(encode(samples, "FLAC"), 0)
    with open_decoder(io.BytesIO(content), "x") as decoder:
        assert decoder.frames == len(samples)
    assert np.array_equal(read_audio(io.BytesIO(content)).samples, samples)
    assert np.array_equal(read_audio(io.BytesIO(content), start=8).samples, samples[128000:])
    with pytest.raises(AudioError, match=r"the end, 10 s, is after the end of the file, 9\.135 s"):
        read_audio(io.BytesIO(content), end=10)
    assert message(io.BytesIO(content[:-3000])) == "cut off or damaged (flac decoder lost sync)"


def test_flac_with_a_wrong_length(samples: FloatArray) -> None:
    flac = encode(samples, "FLAC")
    text = message(io.BytesIO(with_samples(flac, 1000)))
    assert text.startswith("its header says 1000 samples, but there are 146160; try: ffmpeg -i x.wav ")
    with pytest.raises(AudioError, match="cut off: 146160 of 146161 samples are there"):
        read_audio(io.BytesIO(with_samples(flac, 146161)))


@pytest.mark.parametrize(
    ("format", "subtype", "expected"),
    [
        (
            "OGG",
            "VORBIS",
            "2 Ogg streams, one after another, of which only the first can be read here; try: ",
        ),
        ("OGG", "OPUS", "2 Ogg streams, one after another, of which only the first can be read here; try: "),
        ("MP3", None, "its header says 51264 bytes of sound, but 51264 more follow; try: "),
    ],
)
def test_files_that_are_joined(
    samples: FloatArray,
    format: str,  # noqa: A002
    subtype: str | None,
    expected: str,
) -> None:
    content = encode(samples, format, subtype)
    assert message(io.BytesIO(content + content)).startswith(expected + "ffmpeg -i x.wav ")


@pytest.mark.parametrize("format", ["AVR", "MAT5", "PAF", "SDS", "VOC", "XI", "IRCAM", "SVX"])
def test_formats_whose_length_is_not_checked_are_refused(samples: FloatArray, format: str) -> None:  # noqa: A002
    subtype = "DPCM_16" if format == "XI" else "PCM_16"
    text = message(io.BytesIO(encode(samples[:1000], format, subtype)))
    assert re.match(
        r"(VOC|IRCAM|8SVX), which can't be read here; try: ffmpeg|not audio \(unknown data\); try a sound",
        text,
    )


def test_devices_and_loops(tmp_path: Path) -> None:
    assert message(Path("/dev/zero")) == "a device, not a sound file"
    (tmp_path / "loop").symlink_to("loop")
    assert message(tmp_path / "loop") == "can't be read (Too many levels of symbolic links)"
    assert message(Path("x\0y")) == "can't be read (embedded null byte)"


class Endless(io.RawIOBase):
    """A stream that repeats some bytes for ever."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        buffer[:] = bytes(len(buffer))
        return len(buffer)


def test_a_stream_that_is_not_audio_is_not_read_to_its_end() -> None:
    with pytest.raises(AudioError, match=r"^x: not audio \(unknown data\)"), open_decoder(Endless(), "x"):  # type: ignore[arg-type]
        pass
