import io
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.audio.reading import Channel, clip_seconds, read_audio, read_clip, read_windows
from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import Clip, FloatArray


def encode(samples: FloatArray, rate: int, format: str, subtype: str | None = None) -> bytes:  # noqa: A002
    """samples: (samples,) or (samples, channels)."""
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, rate, format=format, subtype=subtype)
    return encoded.getvalue()


@pytest.fixture(scope="module")
def recorded(samples: FloatArray) -> Callable[[str, str | None], bytes]:
    """The recording encoded in a format, once for each format."""
    return cache(lambda container, subtype: encode(samples, 16000, container, subtype))


FORMATS = [
    ("x.wav", "WAV", "PCM_16", 1e-4),
    ("x.wav", "WAV", "PCM_U8", 1e-2),
    ("x.wav", "WAV", "FLOAT", 0),
    ("x.flac", "FLAC", "PCM_16", 1e-4),
    ("x.aiff", "AIFF", "PCM_16", 1e-4),
    ("x.au", "AU", "PCM_16", 1e-4),
    ("x.w64", "W64", "PCM_16", 1e-4),
    ("x.rf64", "RF64", "PCM_16", 1e-4),
    ("x.caf", "CAF", "PCM_16", 1e-4),
    ("x.sph", "NIST", "PCM_16", 1e-4),
    ("x.ogg", "OGG", "VORBIS", 0.5),
    ("x.opus", "OGG", "OPUS", 0.5),
    ("x.mp3", "MP3", None, 0.5),
    # the content decides, not the name
    ("x.raw", "WAV", "PCM_16", 1e-4),
    ("x", "FLAC", "PCM_16", 1e-4),
]


@pytest.mark.parametrize(("name", "container", "subtype", "tolerance"), FORMATS)
def test_read_audio_formats(
    tmp_path: Path,
    samples: FloatArray,
    recorded: Callable[[str, str | None], bytes],
    name: str,
    container: str,
    subtype: str | None,
    tolerance: float,
) -> None:
    path = tmp_path / name
    path.write_bytes(recorded(container, subtype))
    waveform = read_audio(path)
    assert waveform.rate == 16000
    assert waveform.samples.dtype == np.float32
    assert waveform.samples.shape == samples.shape
    assert np.abs(waveform.samples - samples).max() <= tolerance
    assert np.corrcoef(waveform.samples, samples)[0, 1] > 0.95


@pytest.mark.parametrize(("name", "container", "subtype"), [case[:3] for case in FORMATS])
def test_read_audio_interval_equals_slice_of_whole(
    tmp_path: Path,
    recorded: Callable[[str, str | None], bytes],
    name: str,
    container: str,
    subtype: str | None,
) -> None:
    path = tmp_path / name
    path.write_bytes(recorded(container, subtype))
    whole = read_audio(path).samples
    for first, last in ((0, 8000), (16000, 24000), (70011, 101000), (120000, 146160)):
        part = read_audio(path, start=first / 16000, end=last / 16000).samples
        assert part.shape == (last - first,)
        assert np.abs(part - whole[first:last]).max() < 1e-6
    assert np.abs(read_audio(path, start=9).samples - whole[144000:]).max() < 1e-6
    assert np.abs(read_audio(path, end=0.5).samples - whole[:8000]).max() < 1e-6


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_read_audio_resamples(tmp_path: Path, rate: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    path = tmp_path / "tone.wav"
    path.write_bytes(encode(tone, rate, "WAV", "FLOAT"))
    waveform = read_audio(path)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    assert len(waveform.samples) == 16000
    assert waveform.samples.dtype == np.float32
    # at the ends the filter reaches into the silence outside
    assert np.abs(waveform.samples - expected)[500:-500].max() < 1e-3
    assert read_audio(path, rate=rate).samples.tolist() == tone.tolist()


def test_read_audio_channels(tmp_path: Path, samples: FloatArray) -> None:
    path = tmp_path / "stereo.wav"
    path.write_bytes(encode(np.stack([samples, np.zeros_like(samples)], axis=1), 16000, "WAV", "FLOAT"))
    assert np.allclose(read_audio(path).samples, samples / 2)
    assert np.array_equal(read_audio(path, channel=0).samples, samples)
    assert not read_audio(path, channel=1).samples.any()
    for channel in (2, -1):
        with pytest.raises(AudioError, match=f"stereo.wav: no channel {channel}; it has 2"):
            read_audio(path, channel=channel)


def test_read_audio_from_streams_and_standard_input(
    tmp_path: Path, recording_file: Path, samples: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert np.array_equal(read_audio(io.BytesIO(recording_file.read_bytes())).samples, samples)
    with recording_file.open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
        assert np.array_equal(read_audio("-").samples, samples)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(AudioError, match=r"^stdin: the file is empty"):
        read_audio("-")


def test_read_audio_from_named_pipe(tmp_path: Path, recording_file: Path, samples: FloatArray) -> None:
    pipe = tmp_path / "pipe.flac"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(recording_file.read_bytes()))
    writer.start()
    decoded = read_audio(pipe).samples
    writer.join()
    assert np.array_equal(decoded, samples)


def test_reading_mp3_leaves_no_messages_of_the_decoder(
    tmp_path: Path, samples: FloatArray, capfd: pytest.CaptureFixture[str]
) -> None:
    content = encode(np.concatenate([samples] * 3), 16000, "MP3")
    path = tmp_path / "x.mp3"
    path.write_bytes(content)
    for start in range(1, 27, 2):
        read_audio(path, start=start, end=start + 1)
    path.write_bytes(content[:20000])
    assert message(path) == f"cut off: 20000 of {len(content)} bytes are there"
    path.write_bytes(content[:20000] + bytes(range(1, 250)) * 20 + content[20000:])
    assert message(path).startswith("damaged: the 4980 bytes from byte ")
    path.write_bytes(b"\xff\xfb" + bytes(range(250)) * 20)
    assert message(path)
    assert capfd.readouterr() == ("", "")


def test_read_clip(recording_file: Path, samples: FloatArray) -> None:
    waveform = read_clip(Clip("x", recording_file, start=1, end=2.5))
    assert np.array_equal(waveform.samples, samples[16000:40000])


def test_read_audio_of_a_name_that_is_not_utf8(
    tmp_path: Path, recording_file: Path, samples: FloatArray
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.flac"))
    path.write_bytes(recording_file.read_bytes())
    assert np.array_equal(read_audio(path).samples, samples)


def message(path: Path, **options: float) -> str:
    """Return the error for a file: one line, which begins with its name, without the name."""
    with pytest.raises(AudioError) as caught:
        read_audio(path, **options)  # type: ignore[arg-type]
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    assert message(tmp_path / "none.wav") == "no such file"
    assert message(tmp_path) == "a folder, not a sound file"
    assert "can't be read" in message(tmp_path / ("x" * 300))


NOT_AUDIO = [
    (b"", "the file is empty"),
    (b"Dear all,\n", "not audio (text); try a sound"),
    ("你好\u3000\n".encode() * 200, "not audio (text); try a sound"),
    (b"[SPEECH][Hu1]\n", "not audio (token lines); try a sound file, or make one from them: spiritlm decode"),
    (b'{"audio": "a.wav"}\n', "not audio (text); try: --manifest "),
    (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    (b"\x1f\x8b\x08\0\0\0", "not audio (gzip archive)"),
    (b"\0\0\0\x18ftypisom" + bytes(100), "MP4, M4A or MOV, which can't be read here; try: ffmpeg -i "),
    (b"\x1a\x45\xdf\xa3" + bytes(100), "Matroska or WebM"),
    (b"RIFF\0\0\0\0AVI LIST" + bytes(100), "AVI"),
    (b"OggS" + bytes(24) + b"\x80theora" + bytes(100), "Ogg with an unknown codec"),
    (bytes(1000), "not audio (unknown data)"),
]


@pytest.mark.parametrize(("content", "expected"), NOT_AUDIO, ids=[expected for _, expected in NOT_AUDIO])
def test_files_that_are_not_audio(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "my x.wav"
    path.write_bytes(content)
    text = message(path)
    assert text.startswith(expected) or expected in text
    if "ffmpeg" in text:
        assert text.endswith(f"ffmpeg -i '{path}' -ac 1 -ar 16000 'my x-converted.wav'")


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("FLAC", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("W64", "PCM_16"),
        ("RF64", "PCM_16"),
        ("CAF", "PCM_16"),
        ("NIST", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", None),
    ],
)
@pytest.mark.parametrize("kept", [0.1, 0.6, 0.98])
def test_truncated_files(
    tmp_path: Path,
    recorded: Callable[[str, str | None], bytes],
    container: str,
    subtype: str | None,
    kept: float,
) -> None:
    whole = recorded(container, subtype)
    path = tmp_path / "x"
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert message(path).startswith("cut off")


def test_file_without_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(encode(np.zeros(0, np.float32), 16000, "WAV"))
    assert message(path) == "no samples in it"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(tmp_path: Path, samples: FloatArray, value: float) -> None:
    path = tmp_path / "x.wav"
    broken = samples.copy()
    broken[16000] = value
    path.write_bytes(encode(broken, 16000, "WAV", "FLOAT"))
    assert message(path) == "not a number or infinite at sample 16000 (1.000 s)"
    assert len(read_audio(path, end=1).samples) == 16000


def test_impossible_sampling_rate(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(encode(np.zeros(100, np.float32), 1, "WAV"))
    assert message(path) == "a sampling rate of 1 Hz can't be right"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (-1, None, "not an interval of time"),
        (2, 2, "not an interval of time"),
        (3, 2, "not an interval of time"),
        (float("nan"), None, "not an interval of time"),
        (9.2, None, "the start, 9.2 s, is after the end of the file, 9.135 s"),
        (0, 9.3, "the end, 9.3 s, is after the end of the file, 9.135 s"),
        (1, 1.00001, "no samples from 1 s to 1.00001 s"),
    ],
)
def test_intervals_outside_the_file(
    recording_file: Path, start: float, end: float | None, expected: str
) -> None:
    with pytest.raises(
        AudioError, match=f"{recording_file.name}: .*{expected}" if "no" not in expected else expected
    ):
        read_audio(recording_file, start=start, end=end)


def test_end_may_be_rounded_up(recording_file: Path, samples: FloatArray) -> None:
    assert len(read_audio(recording_file, end=9.2).samples) == len(samples)


def test_manifests_import_neither_torch_nor_soundfile() -> None:
    code = "import sys, spiritlm_cli.manifests.manifest; print('torch' in sys.modules, 'soundfile' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("peak", [2.5, 16])
def test_float_files_may_exceed_full_scale(tmp_path: Path, peak: float) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.full(100, peak, np.float32), 16000, subtype="FLOAT")
    assert read_audio(path).samples.tolist() == [peak] * 100


def test_integers_stored_as_floats_are_refused(tmp_path: Path, samples: FloatArray) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(encode(samples * 32768, 16000, "WAV", "FLOAT"))
    assert message(path) == (
        "a value of 19 at sample 0 (0.000 s), where full scale is 1; if these are 16-bit values, "
        f"try: ffmpeg -i {path} -af volume=1/32768 x-scaled.wav"
    )


@pytest.fixture(scope="module")
def recordings(
    tmp_path_factory: pytest.TempPathFactory, samples: FloatArray
) -> Callable[[str, int, int], Path]:
    """Path of the recording in a format, with a number of channels, labeled with a sampling rate; encoded once."""
    folder = tmp_path_factory.mktemp("recordings")

    @cache
    def find(container: str, channels: int, rate: int) -> Path:
        path = folder / f"{channels}-{rate}.{container.lower()}"
        louder = np.linspace(1, 0.2, channels, dtype=np.float32)
        path.write_bytes(encode(samples[:, None] * louder, rate, container))
        return path

    return find


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_read_windows_concatenate_to_read_clip(
    recordings: Callable[[str, int, int], Path], data: st.DataObject
) -> None:
    channels = data.draw(st.sampled_from([1, 2, 6]))
    container = data.draw(st.sampled_from(["WAV", "FLAC", "OGG"] + ["MP3"] * (channels < 6)))
    path = recordings(container, channels, data.draw(st.sampled_from([8000, 16000, 44100, 48000])))
    channel: Channel = data.draw(st.sampled_from(["mix", channels - 1]))
    rate = data.draw(st.sampled_from([16000, 24000]))
    length = soundfile.info(path).duration
    start = data.draw(st.none() | st.floats(0, length - 0.01))
    end = data.draw(st.none() | st.floats((start or 0) + 0.001, length))
    window_seconds, min_seconds = data.draw(st.floats(0.01, 12)), data.draw(st.floats(0, 3))

    clip = Clip("x", path, start, end)
    whole = read_clip(clip, rate=rate, channel=channel).samples
    windows = list(
        read_windows(clip, rate=rate, channel=channel, window_seconds=window_seconds, min_seconds=min_seconds)
    )
    assert np.array_equal(np.concatenate([window.samples for window in windows]), whole)
    assert {window.rate for window in windows} == {rate}
    assert {window.samples.dtype for window in windows} == {np.dtype(np.float32)}

    size, least = round(window_seconds * rate), round(min_seconds * rate)
    *before, last = [len(window.samples) for window in windows]
    assert before == [size] * len(before)
    assert last < size + min(least, size) or last <= size
    assert not before or last >= min(least, size)


def test_read_windows_lengths(recording_file: Path) -> None:
    def lengths(
        window_seconds: float, min_seconds: float, start: float = 0, end: float | None = None
    ) -> list[int]:
        clip = Clip("x", recording_file, start, end)
        return [
            len(window.samples)
            for window in read_windows(clip, window_seconds=window_seconds, min_seconds=min_seconds)
        ]

    assert lengths(4, 0) == [64000, 64000, 18160]
    assert lengths(4, 1.135) == [64000, 64000, 18160]
    assert lengths(4, 1.136) == [64000, 82160]
    assert lengths(4, 100) == [64000, 82160]
    assert lengths(4, 1, end=8) == [64000, 64000]
    assert lengths(4, 0, end=8) == [64000, 64000]
    assert lengths(4, 3, start=1, end=2) == [16000]
    with pytest.raises(ValueError, match="no samples"):
        lengths(0, 0)


def sparse(path: Path, seconds: int, rate: int, channels: int) -> Path:
    """Write a sparse WAV file of silence, which takes no space on the disk."""
    width = 2 * channels
    size = seconds * rate * width
    head = struct.pack("<4sI4s", b"RIFF", size + 36, b"WAVE")
    head += struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * width, width, 16)
    path.write_bytes(head + struct.pack("<4sI", b"data", size))
    os.truncate(path, 44 + size)
    return path


@pytest.fixture
def peak() -> Callable[[Callable[[], object]], int]:
    """Measure the peak of the memory that Python allocates during a call, in bytes."""

    def measure(do: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            do()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (48000, 2)])
def test_read_windows_memory_is_bounded(
    tmp_path: Path, peak: Callable[[Callable[[], object]], int], rate: int, channels: int
) -> None:
    clip = Clip("x", sparse(tmp_path / "long.wav", 300, rate, channels), start=1.5)
    lengths: list[int] = []

    def read() -> None:
        lengths.extend(len(window.samples) for window in read_windows(clip, window_seconds=10, min_seconds=1))

    # A window of ten seconds is 0.6 MB; all of the file would be 19 MB.
    assert peak(read) < 8_000_000
    assert sum(lengths) == round(298.5 * 16000)


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


class Endless(io.RawIOBase):
    """A stream that is not seekable, of a WAV header and `size` bytes of silence."""

    name = "pipe"

    def __init__(self, head: bytes, size: int) -> None:
        self._head = head
        self._left = size

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        count = min(size - len(head), self._left)
        self._left -= count
        return head + bytes(count)


def test_long_streams_go_to_a_temporary_file(
    tmp_path: Path, peak: Callable[[Callable[[], object]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spiritlm_cli.audio.decoders._MAX_IN_MEMORY", 1 << 22)
    head = sparse(tmp_path / "long.wav", 500, 16000, 1).read_bytes()[:44]
    before = open_files()
    lengths: list[int] = []

    def read() -> None:
        stream = Endless(head, 16_000_000)
        windows = read_windows(Clip("x", stream), window_seconds=10, min_seconds=1)  # type: ignore[arg-type]
        lengths.extend(len(window.samples) for window in windows)

    assert peak(read) < 14_000_000
    assert sum(lengths) == 8_000_000
    assert open_files() == before


def test_read_windows_closes_its_file_when_dropped(recording_file: Path) -> None:
    before = open_files()
    windows = read_windows(Clip("x", recording_file), window_seconds=1, min_seconds=0)
    assert len(next(windows).samples) == 16000
    assert open_files() > before
    del windows
    assert open_files() == before


def test_read_windows_yields_windows_before_an_error(
    tmp_path: Path, samples: FloatArray, recording_file: Path
) -> None:
    path = tmp_path / "x.wav"
    long = np.tile(samples, 3)
    long[400000] = np.nan
    path.write_bytes(encode(long, 16000, "WAV", "FLOAT"))
    windows = read_windows(Clip("x", path), window_seconds=1, min_seconds=0)
    assert np.array_equal(next(windows).samples, samples[:16000])
    with pytest.raises(AudioError, match=r"x\.wav: not a number or infinite at sample 400000 \(25\.000 s\)"):
        list(windows)
    with pytest.raises(AudioError, match="no channel 1; it has 1"):
        next(read_windows(Clip("x", recording_file), channel=1, window_seconds=1, min_seconds=0))
    with pytest.raises(AudioError, match="no such file"):
        next(read_windows(Clip("x", tmp_path / "none"), window_seconds=1, min_seconds=0))


def test_long_mp3_is_decoded_gaplessly(tmp_path: Path, samples: FloatArray) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(encode(np.tile(samples, 4), 44100, "MP3"))
    with soundfile.SoundFile(path) as sound:
        expected = sound.read(dtype="float32")
    assert np.abs(read_audio(path, rate=44100).samples - expected).max() < 1e-6


def test_clip_seconds(recording_file: Path) -> None:
    whole = clip_seconds(Clip("a", recording_file))
    assert whole == read_audio(recording_file).seconds
    assert clip_seconds(Clip("a", recording_file, start=1.0)) == whole - 1.0
    assert clip_seconds(Clip("a", "not read", start=1.0, end=1.5)) == 0.5
    with pytest.raises(AudioError, match=r"gone\.wav"):
        clip_seconds(Clip("a", "gone.wav"))
