import io
import os
import re
import resource
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.audio.writing import AudioWriter, check_output_path, write_audio
from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import FloatArray, Waveform


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
def test_write_audio_chooses_the_format_by_suffix(
    tmp_path: Path, samples: FloatArray, name: str, container: str, subtype: str
) -> None:
    path = tmp_path / name
    write_audio(path, Waveform(samples[:48000], 16000))
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.samplerate, info.channels) == (container, subtype, 16000, 1)
    decoded = read_audio(path).samples
    assert len(decoded) == 48000
    assert np.corrcoef(decoded, samples[:48000])[0, 1] > 0.95
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_lossless_formats_keep_the_samples(tmp_path: Path, samples: FloatArray) -> None:
    for name in ("x.wav", "x.flac"):
        write_audio(str(tmp_path / name), Waveform(samples, 16000))
        # Full scale is 32767 out and 32768 in.
        assert np.abs(read_audio(tmp_path / name).samples - samples).max() <= 1.5 / 32768
    write_audio(tmp_path / "x.wav", Waveform(samples * 4, 16000), subtype="FLOAT")
    assert np.array_equal(read_audio(tmp_path / "x.wav").samples, samples * 4)


def test_samples_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    write_audio(path, Waveform(np.array([2, 1, 0.5, -1, -2], np.float32), 16000))
    decoded, _ = soundfile.read(path, dtype="int16")
    assert decoded.tolist()[0] == decoded.tolist()[1] == 32767
    assert decoded.tolist()[3] == decoded.tolist()[4] <= -32767


def test_samples_beyond_full_scale_are_clipped_in_vorbis(tmp_path: Path, samples: FloatArray) -> None:
    write_audio(tmp_path / "x.ogg", Waveform(samples * 20, 16000))
    assert np.abs(read_audio(tmp_path / "x.ogg").samples).max() < 3
    assert np.abs(samples).max() * 20 > 6


class Pipe(io.RawIOBase):
    """A stream that is not seekable, like stdout in a pipe."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content += bytes(data)
        return len(data)


def test_write_audio_to_a_stream_that_is_not_seekable(samples: FloatArray) -> None:
    pipe = Pipe()
    with io.BufferedWriter(pipe) as stream:
        write_audio(stream, Waveform(samples, 16000))
        assert len(read_audio(io.BytesIO(pipe.content)).samples) == len(samples)
    decoded, rate = soundfile.read(io.BytesIO(pipe.content))
    assert (len(decoded), rate) == (len(samples), 16000)


def test_long_vorbis(tmp_path: Path) -> None:
    path = tmp_path / "x.ogg"
    write_audio(path, Waveform(np.zeros(2_000_000, np.float32), 16000))
    assert soundfile.info(path).frames == 2_000_000


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"before")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.wav'"):
        write_audio(path, Waveform(np.zeros(10, np.float32), 16000))
    assert path.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]


def test_links_and_devices_are_not_replaced(tmp_path: Path) -> None:
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
        ("x.xyz", None, None, ".xyz can't be written; .wav, .flac, .ogg, .opus can"),
        ("x", None, None, "an audio file needs a suffix (.wav, .flac, .ogg, .opus); a folder is "),
        ("x.wav", "FLAC", "FLOAT", "FLAC with FLOAT can't be written; samples of floats need .wav"),
        ("x.flac", None, "FLOAT", "FLAC with FLOAT can't be written; samples of floats need .wav"),
        ("x.ogg", None, "FLOAT", "OGG with FLOAT can't be written; samples of floats need .wav"),
        ("x.flac", None, "VORBIS", "FLAC with VORBIS can't be written; FLAC has PCM_S8"),
        ("x.wav", "NONE", None, "NONE can't be written; what can is WAV, FLAC, OGG"),
        ("x.wav", "AIFF", None, "AIFF can't be written; what can is WAV, FLAC, OGG"),
        ("no/x.wav", None, None, "can't be written"),
    ],
)
def test_targets_that_can_not_be_written(
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


@pytest.mark.parametrize(
    ("name", "rate", "expected"),
    [
        (
            "x.opus",
            11000,
            r"OGG \(Opus\) can't hold a sampling rate of 11000 Hz; it has 8,000, 12,000, 16,000",
        ),
        (
            "x.ogg",
            200_001,
            r"OGG \(Vorbis\) can't hold a sampling rate of 200001 Hz; it has 1,000 to 200,000 Hz",
        ),
        ("x.flac", 96001, "FLAC can't hold a sampling rate of 96001 Hz"),
        ("x.wav", 0, "WAV can't hold a sampling rate of 0 Hz"),
        ("x.wav", 1 << 31, "WAV can't hold a sampling rate of 2147483648 Hz"),
    ],
)
def test_unsupported_sampling_rate(tmp_path: Path, name: str, rate: int, expected: str) -> None:
    with pytest.raises(AudioError, match=rf"{name}: {expected}"):
        write_audio(tmp_path / name, Waveform(np.zeros(10, np.float32), rate))
    assert not list(tmp_path.iterdir())


def test_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="not a number"):
        write_audio(tmp_path / "x.wav", Waveform(np.array([0, np.nan], np.float32), 16000))


@settings(deadline=None, max_examples=30)
@given(
    cuts=st.lists(st.integers(0, 146160), max_size=10),
    name=st.sampled_from(["x.wav", "x.flac"]),
    known=st.booleans(),
)
def test_audio_writer_blocks_equal_write_audio(
    tmp_path_factory: pytest.TempPathFactory,
    samples: FloatArray,
    cuts: list[int],
    name: str,
    known: bool,
) -> None:
    samples = samples * 6  # beyond full scale here and there
    folder = tmp_path_factory.mktemp("blocks")
    write_audio(folder / f"whole-{name}", Waveform(samples, 16000))
    with AudioWriter(folder / name, 16000, frames=len(samples) if known else None) as writer:
        for block in np.split(samples, sorted(cuts)):
            writer.write(block)
    assert (folder / name).read_bytes() == (folder / f"whole-{name}").read_bytes()


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("known", [True, False])
def test_stream_and_file_have_the_same_samples(
    tmp_path: Path, samples: FloatArray, subtype: str, known: bool
) -> None:
    samples = samples * 6
    stream = io.BytesIO()
    with AudioWriter(stream, 16000, subtype=subtype, frames=len(samples) if known else None) as writer:
        writer.write(samples[:50_000])
        writer.write(samples[50_000:])
    write_audio(tmp_path / "x.wav", Waveform(samples, 16000), subtype=subtype)
    decoded = read_audio(io.BytesIO(stream.getvalue())).samples
    assert np.array_equal(decoded, read_audio(tmp_path / "x.wav").samples)
    assert (np.abs(decoded).max() > 1) == (subtype == "FLOAT")


def test_stream_gets_every_block_at_once(samples: FloatArray) -> None:
    pipe = Pipe()
    with io.BufferedWriter(pipe) as stream:
        with AudioWriter(stream, 16000) as writer:
            assert pipe.content == b""
            for count in (1, 2, 3):
                writer.write(samples[:1000])
                assert len(pipe.content) == 44 + 2000 * count
        assert len(read_audio(io.BytesIO(pipe.content)).samples) == 3000


@pytest.mark.parametrize(("format", "subtype"), [("FLAC", None), ("WAV", "PCM_24"), ("OGG", "VORBIS")])
def test_other_formats_are_streamed_at_the_end(samples: FloatArray, format: str, subtype: str | None) -> None:  # noqa: A002
    pipe = Pipe()
    with io.BufferedWriter(pipe) as stream:
        with AudioWriter(stream, 16000, format=format, subtype=subtype) as writer:
            writer.write(samples[:50_000])
            writer.write(samples[50_000:])
            assert pipe.content == b""
        info = soundfile.info(io.BytesIO(pipe.content))
    assert (info.format, info.frames) == (format, len(samples))
    assert subtype is None or info.subtype == subtype


def test_file_appears_when_complete(tmp_path: Path, samples: FloatArray) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"before")
    with AudioWriter(path, 16000) as writer:
        writer.write(samples[:1000])
        assert path.read_bytes() == b"before"
        temporary, final = sorted(file.name for file in tmp_path.iterdir())
        assert re.fullmatch(r"\.tmp-spiritlm-[0-9a-f]{8}\.wav", temporary)
        assert final == "x.wav"
        writer.write(samples[:500])
    assert soundfile.info(path).frames == 1500
    assert [file.name for file in tmp_path.iterdir()] == ["x.wav"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(5, "of the caller"), AudioError("of the caller")]
)
@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.ogg"])
def test_error_in_the_block_keeps_the_old_file(
    tmp_path: Path, samples: FloatArray, name: str, error: BaseException
) -> None:
    (tmp_path / name).write_bytes(b"before")

    def write() -> None:
        with AudioWriter(tmp_path / name, 16000) as writer:
            writer.write(samples)
            raise error

    with pytest.raises(type(error)) as caught:
        write()
    assert caught.value is error
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"]


def test_error_before_the_first_block_leaves_a_stream_empty() -> None:
    for format in ("WAV", "FLAC"):  # noqa: A001
        stream = io.BytesIO()
        with (
            pytest.raises(AudioError, match="not a number"),
            AudioWriter(stream, 16000, format=format) as writer,
        ):
            writer.write(np.array([np.inf], np.float32))
        assert stream.getvalue() == b""


@pytest.mark.parametrize("written", [999, 1001])
def test_wrong_number_of_frames(tmp_path: Path, written: int) -> None:
    for target in (tmp_path / "x.wav", io.BytesIO()):
        with (
            pytest.raises(ValueError, match=f"{written} samples, but 1000 were announced"),
            AudioWriter(target, 16000, frames=1000) as writer,
        ):
            writer.write(np.zeros(written, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_closed_pipe_raises_broken_pipe_error(samples: FloatArray) -> None:
    reader, writing_end = os.pipe()
    os.close(reader)
    with io.FileIO(writing_end, "w") as stream:
        with pytest.raises(BrokenPipeError):
            write_audio(stream, Waveform(samples, 16000))
        with pytest.raises(BrokenPipeError):
            write_audio(stream, Waveform(samples, 16000), format="FLAC")


@pytest.mark.parametrize("name", ["pipe", "pipe.wav", "pipe.flac"])
def test_named_pipes_are_streams(tmp_path: Path, samples: FloatArray, name: str) -> None:
    os.mkfifo(tmp_path / name)
    check_output_path(tmp_path / name)
    received: list[bytes] = []
    receiver = threading.Thread(target=lambda: received.append((tmp_path / name).read_bytes()))
    receiver.start()
    with AudioWriter(tmp_path / name, 16000) as writer:
        writer.write(samples)
    receiver.join()
    assert soundfile.info(io.BytesIO(received[0])).format == ("FLAC" if name == "pipe.flac" else "WAV")
    assert len(read_audio(io.BytesIO(received[0])).samples) == len(samples)
    assert (tmp_path / name).is_fifo()


def test_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.wav").mkdir()
    with pytest.raises(AudioError, match=r"x\.wav: can't be written \(Is a directory\)"):
        write_audio(tmp_path / "x.wav", Waveform(np.zeros(10, np.float32), 16000))
    assert (tmp_path / "x.wav").is_dir()


@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.ogg", "x.opus"])
def test_full_disk_is_reported_at_once(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 30_000).astype(np.float32)
    written = 0

    def write() -> None:
        nonlocal written
        with AudioWriter(tmp_path / name, 16000) as writer:
            while written < 20:
                written += 1
                writer.write(noise)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(AudioError, match=rf"{name}: can't be written \(File too large\)"):
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert written < 10
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.wav", "x.flac"])
def test_audio_writer_memory_is_bounded(tmp_path: Path, samples: FloatArray, name: str) -> None:
    tracemalloc.start()
    try:
        with AudioWriter(tmp_path / name, 16000) as writer:
            for _ in range(100):
                writer.write(samples)
        # All of it would be 58 MB.
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert soundfile.info(tmp_path / name).frames == 100 * len(samples)


def test_check_output_path(tmp_path: Path) -> None:
    check_output_path(tmp_path / "x.wav", "FLOAT")
    check_output_path(tmp_path / "x.flac", "PCM_24")
    check_output_path("/dev/null")
    with pytest.raises(
        AudioError, match=r"x\.opus: OGG with FLOAT can't be written; samples of floats need \.wav"
    ):
        check_output_path(tmp_path / "x.opus", "FLOAT")
    with pytest.raises(AudioError, match="an audio file needs a suffix"):
        check_output_path(tmp_path)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_names_of_the_maximum_length(tmp_path: Path, samples: FloatArray, suffix: str) -> None:
    name = "x" * (255 - len(suffix)) + suffix
    write_audio(tmp_path / name, Waveform(samples, 16000))
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_name_that_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 252 + ".wav")
    check_output_path(path)
    with pytest.raises(AudioError, match=r"\.wav: can't be written \(File name too long\)$"):
        write_audio(path, Waveform(np.zeros(10, np.float32), 16000))
    assert list(tmp_path.iterdir()) == []
