import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.formats import FORMATS, find_format, format_of
from spiritlm_cli.errors import AudioError


@pytest.mark.parametrize(("suffix", "known"), FORMATS.items())
def test_the_first_and_last_rate_of_each_range_can_be_written(tmp_path: Path, suffix: str, known) -> None:  # type: ignore[no-untyped-def]
    for rate in {rates[i] for rates in known.rates for i in (0, -1)}:
        path = tmp_path / f"{rate}{suffix}"
        soundfile.write(path, np.zeros(1000), rate, format=known.container, subtype=known.subtype)
        assert soundfile.info(path).samplerate == rate
        assert known.explain_rate(rate) is None


@pytest.mark.parametrize(
    ("suffix", "rate"),
    [
        (".wav", 999),
        (".wav", 1_000_001),
        (".flac", 65536),
        (".flac", 96001),
        (".ogg", 200_001),
        (".opus", 44100),
    ],
)
def test_explain_rate(suffix: str, rate: int) -> None:
    assert f"can't hold a sampling rate of {rate} Hz; it has " in str(FORMATS[suffix].explain_rate(rate))


def test_format_of(tmp_path: Path) -> None:
    assert format_of("a.b/X.WAV") is FORMATS[".wav"]
    assert format_of(Path("x.opus")).subtype == "OPUS"
    assert format_of("/dev/null") is FORMATS[".wav"]
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.flac")
    assert format_of(tmp_path / "pipe") is FORMATS[".wav"]
    assert format_of(tmp_path / "pipe.flac") is FORMATS[".flac"]
    with pytest.raises(
        AudioError, match=r"^x\.mp3: \.mp3 can't be written; \.wav, \.flac, \.ogg, \.opus can$"
    ):
        format_of("x.mp3")
    with pytest.raises(AudioError, match=r"^x: an audio file needs a suffix \(\.wav, .*\); a folder is x/$"):
        format_of("x")


def test_find_format() -> None:
    assert find_format("OGG") is find_format("OGG", "VORBIS") is FORMATS[".ogg"]
    assert find_format("OGG", "OPUS") is FORMATS[".opus"]
    assert find_format("WAV", "FLOAT") is FORMATS[".wav"]
    assert find_format("MP3") is None
