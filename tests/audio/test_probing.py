import io
import re
import shlex
import struct

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.probing import explain_unreadable, ffmpeg_command, find_truncation
from spiritlm_cli.manifests.clip import FloatArray


def encode(samples: FloatArray, format: str) -> bytes:  # noqa: A002
    stream = io.BytesIO()
    soundfile.write(stream, samples, 16000, format=format)
    return stream.getvalue()


def truncation(content: bytes) -> str | None:
    stream = io.BytesIO(content)
    with soundfile.SoundFile(stream, closefd=False) as audio:
        stream.seek(7)
        reason = find_truncation(audio, stream)
        assert stream.tell() == 7
    return reason


@pytest.mark.parametrize("name", ["x.mp4", "a b.mp4", "it's.webm", "folder/x.y.mov"])
def test_ffmpeg_command_quotes_names(name: str) -> None:
    assert shlex.split(ffmpeg_command(name))[:3] == ["ffmpeg", "-i", name]
    assert re.fullmatch(r"[^/]+\.wav", shlex.split(ffmpeg_command(name))[-1])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", "the file is empty"),
        (
            b"\xef\xbb\xbf[TEXT]a",
            "not audio (token lines); try a sound file, or make one from them: spiritlm decode",
        ),
        ("é".encode() * 256, "not audio (text); try a sound file"),
        ("é".encode()[:1], "not audio (text); try a sound file"),  # a character that is cut off
        (b"plain\0text", "not audio (unknown data)"),
        (b"wvpk" + bytes(99), "WavPack, which can't be read here; try: ffmpeg -i x"),
        (b"PK\3\4" + bytes(99), "not audio (zip archive); try its contents, unpacked"),
        (b"OggS" + bytes(24) + b"OpusHead", "cut off or damaged: its header can't be read"),
        (b"OggS" + bytes(24) + b"fishead", "Ogg with an unknown codec"),
    ],
)
def test_explain_unreadable(head: bytes, expected: str) -> None:
    assert explain_unreadable(head, "x", recognized=False).startswith(expected)


def test_explain_unreadable_of_a_recognized_format() -> None:
    assert (
        explain_unreadable(bytes(512), "x", recognized=True) == "cut off or damaged: its header can't be read"
    )


@pytest.mark.parametrize("name", ["m.tsv", "m.jsonl", "wav.scp"])
def test_explain_unreadable_suggests_the_manifest_option(name: str) -> None:
    assert explain_unreadable(b"id\taudio\n", name, recognized=False).endswith(f"try: --manifest {name}")


@pytest.mark.parametrize("format", ["WAV", "AIFF", "OGG", "NIST"])
def test_find_truncation(samples: FloatArray, format: str) -> None:  # noqa: A002
    content = encode(samples, format)
    assert truncation(content) is None
    assert truncation(content[: len(content) // 2]) is not None


def test_find_truncation_states_how_much_is_missing(samples: FloatArray) -> None:
    content = encode(samples[:1000], "WAV")
    assert truncation(content[:-1000]) == "1000 of 2000 bytes are there"


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_find_truncation_ignores_unknown_lengths(samples: FloatArray, size: int) -> None:
    content = bytearray(encode(samples, "WAV"))
    offset = content.index(b"data") + 4
    content[offset : offset + 4] = struct.pack("<I", size)
    assert truncation(bytes(content)) is None


def test_find_truncation_ignores_a_length_that_includes_the_header() -> None:
    content = bytearray(encode(np.zeros(1000, np.float32), "WAV"))
    offset = content.index(b"data") + 4
    content[offset : offset + 4] = struct.pack("<I", 2000 + 44)
    assert truncation(bytes(content)) is None
