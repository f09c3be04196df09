import io
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.encoders import Encoding, encode_to_file, pipe_wav
from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import FloatArray

PCM = Encoding("WAV", "PCM_16", 16000)
FLOAT = Encoding("WAV", "FLOAT", 16000)


def piped(samples: FloatArray, encoding: Encoding, frames: int | None, step: int = 1000) -> bytes:
    stream = io.BytesIO()
    with pipe_wav(stream, encoding, frames) as put:
        for start in range(0, len(samples), step):
            put(samples[start : start + step])
    return stream.getvalue()


@pytest.mark.parametrize("encoding", [PCM, FLOAT])
def test_pipes_and_files_have_the_same_samples(samples: FloatArray, encoding: Encoding) -> None:
    whole_numbers = np.arange(-32768, 32769, dtype=np.float32) / 32768
    between = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32)
    samples = np.concatenate([samples, whole_numbers, whole_numbers / 2 + 1 / 65536, between])
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV", subtype=encoding.subtype)
    kind = "int16" if encoding is PCM else "float32"
    expected, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype=kind)
    data = expected.tobytes()
    assert piped(samples, encoding, len(samples)).endswith(b"data" + struct.pack("<I", len(data)) + data)
    assert piped(samples, encoding, None).endswith(b"data\xff\xff\xff\xff" + data)


@pytest.mark.parametrize("encoding", [PCM, FLOAT])
@pytest.mark.parametrize("known", [True, False])
def test_both_forms_of_the_header_are_read(samples: FloatArray, encoding: Encoding, known: bool) -> None:
    content = piped(samples, encoding, len(samples) if known else None)
    reader, writer = os.pipe()

    def send() -> None:
        with os.fdopen(writer, "wb") as stream:
            stream.write(content)

    sender = threading.Thread(target=send)
    sender.start()
    with os.fdopen(reader, "rb") as stream:
        found = read_audio(stream).samples
    sender.join()
    assert len(found) == len(samples)
    assert np.abs(found - samples).max() <= (1.5 / 32768 if encoding is PCM else 0)
    assert np.array_equal(read_audio(io.BytesIO(content)).samples, found)


def test_what_the_header_says(samples: FloatArray) -> None:
    for encoding, width in ((PCM, 2), (FLOAT, 4)):
        content = piped(samples, encoding, len(samples))
        assert int.from_bytes(content[4:8], "little") == len(content) - 8
        info = soundfile.info(io.BytesIO(content))
        assert (info.frames, info.samplerate, info.channels) == (len(samples), 16000, 1)
        assert (info.format, info.subtype) == ("WAV", encoding.subtype)
        assert "should be" not in info.extra_info
        assert piped(samples, encoding, None)[4:8] == b"\xff" * 4
        # More than 32 bits can say.
        assert piped(samples, encoding, (1 << 32) // width)[4:8] == b"\xff" * 4


def test_a_pipe_that_breaks_off_is_noticed(samples: FloatArray) -> None:
    content = piped(samples, PCM, len(samples))
    with pytest.raises(AudioError, match="cut off"):
        read_audio(io.BytesIO(content[:-2000]))


def test_no_samples_are_a_header() -> None:
    assert len(piped(np.zeros(0, np.float32), PCM, 0)) == 44
    assert soundfile.info(io.BytesIO(piped(np.zeros(0, np.float32), FLOAT, 0))).frames == 0


class Narrow(io.RawIOBase):
    """A stream without a buffer that takes little at a time, and now and then nothing."""

    def __init__(self) -> None:
        self.content = b""
        self.turn = 0

    def write(self, data: bytes) -> int | None:  # type: ignore[override]
        self.turn += 1
        if self.turn % 5 == 0:
            return None
        self.content += bytes(data[:1000])
        return min(len(data), 1000)


def test_streams_that_take_a_part_at_a_time(samples: FloatArray) -> None:
    stream = Narrow()
    with pipe_wav(stream, PCM, None) as put:  # type: ignore[arg-type]
        put(samples)
    assert stream.content == piped(samples, PCM, None)


def test_files_are_what_libsndfile_makes_at_once(tmp_path: Path, samples: FloatArray) -> None:
    for container, subtype in (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("AIFF", "PCM_24")):
        encoding = Encoding(container, subtype, 16000)
        with (tmp_path / "x").open("wb", buffering=0) as file, encode_to_file(file, encoding, "x") as put:
            put(samples[:10])
            put(samples[10:100_000])
            put(samples[100_000:])
        expected = io.BytesIO()
        soundfile.write(expected, samples, 16000, format=container, subtype=subtype)
        assert (tmp_path / "x").read_bytes() == expected.getvalue()
