import io
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.encoders import Encoding, encode_to_file, encode_wav_to_pipe
from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import FloatArray

PCM = Encoding("WAV", "PCM_16", 16000)
FLOAT = Encoding("WAV", "FLOAT", 16000)


def encode_wav(samples: FloatArray, encoding: Encoding, frames: int | None, step: int = 1000) -> bytes:
    stream = io.BytesIO()
    with encode_wav_to_pipe(stream, encoding, frames) as write:
        for start in range(0, len(samples), step):
            write(samples[start : start + step])
    return stream.getvalue()


@pytest.mark.parametrize("encoding", [PCM, FLOAT])
def test_pipe_and_file_have_the_same_samples(samples: FloatArray, encoding: Encoding) -> None:
    whole_numbers = np.arange(-32768, 32769, dtype=np.float32) / 32768
    between = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32)
    samples = np.concatenate([samples, whole_numbers, whole_numbers / 2 + 1 / 65536, between])
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV", subtype=encoding.subtype)
    kind = "int16" if encoding is PCM else "float32"
    expected, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype=kind)
    data = expected.tobytes()
    assert encode_wav(samples, encoding, len(samples)).endswith(b"data" + struct.pack("<I", len(data)) + data)
    assert encode_wav(samples, encoding, None).endswith(b"data\xff\xff\xff\xff" + data)


@pytest.mark.parametrize("encoding", [PCM, FLOAT])
@pytest.mark.parametrize("known", [True, False])
def test_read_audio_reads_both_headers(samples: FloatArray, encoding: Encoding, known: bool) -> None:
    content = encode_wav(samples, encoding, len(samples) if known else None)
    reader, writer = os.pipe()

    def send() -> None:
        with os.fdopen(writer, "wb") as stream:
            stream.write(content)

    sender = threading.Thread(target=send)
    sender.start()
    with os.fdopen(reader, "rb") as stream:
        decoded = read_audio(stream).samples
    sender.join()
    assert len(decoded) == len(samples)
    assert np.abs(decoded - samples).max() <= (1.5 / 32768 if encoding is PCM else 0)
    assert np.array_equal(read_audio(io.BytesIO(content)).samples, decoded)


def test_wav_header_fields(samples: FloatArray) -> None:
    for encoding, width in ((PCM, 2), (FLOAT, 4)):
        content = encode_wav(samples, encoding, len(samples))
        assert int.from_bytes(content[4:8], "little") == len(content) - 8
        info = soundfile.info(io.BytesIO(content))
        assert (info.frames, info.samplerate, info.channels) == (len(samples), 16000, 1)
        assert (info.format, info.subtype) == ("WAV", encoding.subtype)
        assert "should be" not in info.extra_info
        assert encode_wav(samples, encoding, None)[4:8] == b"\xff" * 4
        # longer than 32 bits can express
        assert encode_wav(samples, encoding, (1 << 32) // width)[4:8] == b"\xff" * 4


def test_truncated_wav_is_detected(samples: FloatArray) -> None:
    content = encode_wav(samples, PCM, len(samples))
    with pytest.raises(AudioError, match="cut off"):
        read_audio(io.BytesIO(content[:-2000]))


def test_wav_without_samples_is_a_header() -> None:
    assert len(encode_wav(np.zeros(0, np.float32), PCM, 0)) == 44
    assert soundfile.info(io.BytesIO(encode_wav(np.zeros(0, np.float32), FLOAT, 0))).frames == 0


class PartialWriter(io.RawIOBase):
    """An unbuffered stream that takes up to 1000 bytes at a time, and sometimes none."""

    def __init__(self) -> None:
        self.content = b""
        self.calls = 0

    def write(self, data: bytes) -> int | None:  # type: ignore[override]
        self.calls += 1
        if self.calls % 5 == 0:
            return None
        self.content += bytes(data[:1000])
        return min(len(data), 1000)


def test_partial_writes_are_completed(samples: FloatArray) -> None:
    stream = PartialWriter()
    with encode_wav_to_pipe(stream, PCM, None) as write:  # type: ignore[arg-type]
        write(samples)
    assert stream.content == encode_wav(samples, PCM, None)


def test_encode_to_file_equals_soundfile_write(tmp_path: Path, samples: FloatArray) -> None:
    for container, subtype in (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("AIFF", "PCM_24")):
        encoding = Encoding(container, subtype, 16000)
        with (tmp_path / "x").open("wb", buffering=0) as file, encode_to_file(file, encoding, "x") as write:
            write(samples[:10])
            write(samples[10:100_000])
            write(samples[100_000:])
        expected = io.BytesIO()
        soundfile.write(expected, samples, 16000, format=container, subtype=subtype)
        assert (tmp_path / "x").read_bytes() == expected.getvalue()


def test_a_wav_file_has_up_to_4_gb(tmp_path: Path, samples: FloatArray) -> None:
    path = tmp_path / "x.wav"
    with path.open("wb", buffering=0) as file, encode_to_file(file, PCM, "x.wav") as write:
        write(samples[:10])
        file.seek((1 << 32) - (1 << 20))  # a file with a hole
        with pytest.raises(
            AudioError, match=r"x\.wav: longer than the 4 GB that a WAV file can hold; try \.flac"
        ):
            write(samples[:10])
    path.unlink()
