import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.clip import FloatArray, Waveform
from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.audio.writing import write_audio
from spiritlm_cli.errors import AudioError


@pytest.mark.parametrize(
    ("name", "container", "subtype"),
    [
        ("x.wav", "WAV", "PCM_16"),
        ("x.WAV", "WAV", "PCM_16"),
        ("x.flac", "FLAC", "PCM_16"),
        ("x.ogg", "OGG", "VORBIS"),
        ("x.opus", "OGG", "OPUS"),
    ],
)
def test_the_suffix_says_the_format(
    tmp_path: Path, samples: FloatArray, name: str, container: str, subtype: str
) -> None:
    path = tmp_path / name
    write_audio(path, Waveform(samples[:48000], 16000))
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.samplerate, info.channels) == (container, subtype, 16000, 1)
    found = read_audio(path).samples
    assert len(found) == 48000
    assert np.corrcoef(found, samples[:48000])[0, 1] > 0.95
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_lossless_formats_are_lossless(tmp_path: Path, samples: FloatArray) -> None:
    for name in ("x.wav", "x.flac"):
        write_audio(str(tmp_path / name), Waveform(samples, 16000))
        # Full scale is 32767 out and 32768 in.
        assert np.abs(read_audio(tmp_path / name).samples - samples).max() <= 1.5 / 32768
    write_audio(tmp_path / "x.wav", Waveform(samples * 4, 16000), subtype="FLOAT")
    assert np.array_equal(read_audio(tmp_path / "x.wav").samples, samples * 4)


def test_too_loud_is_clipped_and_does_not_wrap(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    write_audio(path, Waveform(np.array([2, 1, 0.5, -1, -2], np.float32), 16000))
    found, _ = soundfile.read(path, dtype="int16")
    assert found.tolist()[0] == found.tolist()[1] == 32767
    assert found.tolist()[3] == found.tolist()[4] <= -32767


class Pipe(io.RawIOBase):
    """What stdout is in a pipe: it can't seek."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content += bytes(data)
        return len(data)


def test_streams_that_cannot_seek_get_a_whole_wav(samples: FloatArray) -> None:
    pipe = Pipe()
    with io.BufferedWriter(pipe) as stream:
        write_audio(stream, Waveform(samples, 16000))
        assert len(read_audio(io.BytesIO(pipe.content)).samples) == len(samples)
    found, rate = soundfile.read(io.BytesIO(pipe.content))
    assert (len(found), rate) == (len(samples), 16000)


def test_long_vorbis(tmp_path: Path) -> None:
    path = tmp_path / "x.ogg"
    write_audio(path, Waveform(np.zeros(2_000_000, np.float32), 16000))
    assert soundfile.info(path).frames == 2_000_000


def test_nothing_is_left_of_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"before")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(AudioError, match=r"x\.wav: can't be written \(No space left"):
        write_audio(path, Waveform(np.zeros(10, np.float32), 16000))
    assert path.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]


def test_links_and_devices_are_written_through(tmp_path: Path) -> None:
    waveform = Waveform(np.zeros(10, np.float32), 16000)
    (tmp_path / "real.wav").write_bytes(b"")
    (tmp_path / "link.wav").symlink_to("real.wav")
    write_audio(tmp_path / "link.wav", waveform)
    assert (tmp_path / "link.wav").is_symlink()
    assert len(read_audio(tmp_path / "real.wav").samples) == 10
    write_audio(Path("/dev/null"), waveform, format="WAV")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    ("name", "format", "subtype", "expected"),
    [
        ("x.xyz", None, None, "its suffix should say the format: .wav, .flac, .ogg, .opus"),
        ("x", None, None, "its suffix should say the format"),
        ("x.wav", "FLAC", "FLOAT", "FLAC with FLOAT can't be written"),
        ("x.wav", "NONE", None, "no format is called NONE"),
        ("no/x.wav", None, None, "can't be written"),
    ],
)
def test_what_cannot_be_written(
    tmp_path: Path,
    name: str,
    format: str | None,  # noqa: A002
    subtype: str | None,
    expected: str,
) -> None:
    with pytest.raises(AudioError) as caught:
        write_audio(
            tmp_path / name, Waveform(np.zeros(10, np.float32), 16000), format=format, subtype=subtype
        )
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert expected in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_rates_that_a_format_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="can't hold 11000 samples a second"):
        write_audio(tmp_path / "x.opus", Waveform(np.zeros(10, np.float32), 11000))


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="not a number"):
        write_audio(tmp_path / "x.wav", Waveform(np.array([0, np.nan], np.float32), 16000))
