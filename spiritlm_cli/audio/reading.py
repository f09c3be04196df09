"""Read audio files as waveforms: whole, an interval, or window by window; any sampling rate, any number of channels."""

import io
import math
import shutil
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from spiritlm_cli.audio.probing import explain_unreadable, ffmpeg_command, find_truncation
from spiritlm_cli.audio.resampling import Resampler
from spiritlm_cli.errors import AudioError
from spiritlm_cli.files import standard_input
from spiritlm_cli.manifests.clip import Clip, FloatArray, Waveform

if TYPE_CHECKING:
    from soundfile import SoundFile

Channel = Literal["mix"] | int

# Samples, of all channels, decoded at a time. Memory is never allocated by the length that a header states.
_BLOCK = 1 << 17
# Bytes of a stream kept in memory; a longer stream is copied to a temporary file.
_MAX_IN_MEMORY = 1 << 26
# Seconds that `end` may exceed the length of the file: ends in manifests are often rounded up.
_END_TOLERANCE = 0.1
# Samples that may be missing from an MP3: many files end inside a frame.
_MP3_TOLERANCE = 2 * 1152


def read_audio(
    source: Path | str | BinaryIO,
    *,
    rate: int = 16000,
    channel: Channel = "mix",
    start: float | None = None,
    end: float | None = None,
) -> Waveform:
    """Read audio from a file, a binary stream, or standard input ("-"), and resample it.

    rate: sampling rate of the result, in Hz. channel: "mix" averages all channels; an integer selects one, from 0.
    start, end: interval to read, in seconds. An end up to 0.1 s after the end of the file is taken as its end.
    Returns float32 samples, full scale ±1; files of floats may exceed it. A stream is first read to its end, into
    memory, or into a temporary file beyond 64 MB.
    Raises AudioError, which names the file, if it is missing, not audio, empty, cut off, or contains NaN or infinity,
    and for a channel or an interval that it does not have.
    """
    return Waveform(np.concatenate(list(_blocks(source, rate, channel, start, end))), rate)


def read_clip(clip: Clip, *, rate: int = 16000, channel: Channel = "mix") -> Waveform:
    """Read the waveform of a clip; see `read_audio` for the parameters, the result and the errors."""
    return read_audio(clip.source, rate=rate, channel=channel, start=clip.start, end=clip.end)


def read_windows(
    clip: Clip, *, rate: int = 16000, channel: Channel = "mix", window_seconds: float, min_seconds: float
) -> Iterator[Waveform]:
    """Read the waveform of a clip in consecutive windows, with about one window in memory.

    Each window has round(window_seconds * rate) samples. The last has the remainder; a remainder of fewer than
    round(min_seconds * rate) samples is appended to the window before it instead. There is at least one window. The
    concatenated windows equal the samples of `read_clip`.
    Raises AudioError as `read_audio` does, when the error is reached, which may be after some windows; ValueError for a
    window of no samples.
    """
    size = round(window_seconds * rate)
    if size < 1:
        raise ValueError(f"a window of {window_seconds:g} s has no samples")
    # A window is yielded once this many samples after it are read, as a shorter remainder belongs to it.
    min_rest = max(1, min(round(min_seconds * rate), size))
    buffered: list[FloatArray] = []
    count = 0
    with closing(_blocks(clip.source, rate, channel, clip.start, clip.end)) as blocks:
        for block in blocks:
            buffered.append(block)
            count += len(block)
            if count >= size + min_rest:
                samples = np.concatenate(buffered)
                while len(samples) >= size + min_rest:
                    yield Waveform(samples[:size], rate)
                    samples = samples[size:]
                buffered = [samples]
                count = len(samples)
    yield Waveform(np.concatenate(buffered), rate)


def _blocks(
    source: Path | str | BinaryIO, rate: int, channel: Channel, start: float | None, end: float | None
) -> Generator[FloatArray, None, None]:
    """Yield the samples of `read_audio` in blocks of any length, at least one block."""
    name = _name(source)
    with ExitStack() as stack:
        stream = _open(source, name, stack)
        audio = stack.enter_context(_decoder(stream, name))
        _check(audio, stream, name)
        first, last = _frame_range(name, audio.frames, audio.samplerate, start, end)
        resampler = Resampler(audio.samplerate, rate)
        index = first
        for block in _decode(audio, name, channel, first, last):
            finite = np.isfinite(block)
            if not finite.all():
                index += int(np.argmin(finite))
                where = f"sample {index} ({index / audio.samplerate:.3f} s)"
                raise AudioError(f"{name}: not a number or infinite at {where}")
            yield resampler.feed(block)
            index += len(block)
        yield resampler.feed(np.empty(0, np.float32), last=True)


def _name(source: Path | str | BinaryIO) -> str:
    if source == "-":
        return "stdin"
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "the stream"))


def _open(source: Path | str | BinaryIO, name: str, stack: ExitStack) -> io.FileIO | io.BytesIO:
    """Open a source as a seekable stream; `stack` closes it."""
    if not isinstance(source, (str, Path)):
        return _copy_to_seekable(source, name, stack)
    if source == "-":
        return _copy_to_seekable(standard_input(), name, stack)
    try:
        # unbuffered, because the decoder moves the position of the same descriptor
        file = stack.enter_context(io.FileIO(source))
    except FileNotFoundError:
        raise AudioError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise AudioError(f"{name}: a folder, not a sound file") from None
    except OSError as error:
        raise AudioError(f"{name}: can't be read ({error.strerror or error})") from None
    return file if file.seekable() else _copy_to_seekable(file, name, stack)


def _copy_to_seekable(stream: BinaryIO, name: str, stack: ExitStack) -> io.FileIO | io.BytesIO:
    """Copy a stream to memory, or to a temporary file if it is long, because decoders seek."""
    buffer = io.BytesIO()
    try:
        while buffer.tell() <= _MAX_IN_MEMORY:
            content = stream.read(1 << 16)
            if not content:
                buffer.seek(0)
                return buffer
            buffer.write(content)
        file = stack.enter_context(TemporaryFile())  # noqa: SIM115
        file.write(buffer.getbuffer())
        shutil.copyfileobj(stream, file)
        file.flush()
    except OSError as error:
        raise AudioError(f"{name}: can't be read ({error.strerror or error})") from None
    copy = io.FileIO(file.fileno(), closefd=False)
    copy.seek(0)
    return copy


def _decoder(stream: io.FileIO | io.BytesIO, name: str) -> "SoundFile":
    """Open the decoder of a stream. Raises AudioError if it is not audio, or in a format that can't be decoded."""
    import soundfile

    try:
        audio = soundfile.SoundFile(
            stream.fileno() if isinstance(stream, io.FileIO) else stream, closefd=False
        )
    except soundfile.LibsndfileError as error:
        stream.seek(0)
        # 1 is libsndfile's SF_ERR_UNRECOGNISED_FORMAT
        reason = explain_unreadable(stream.read(512), name, recognized=error.code != 1)
        raise AudioError(f"{name}: {reason}") from None
    # soundfile seeks to the current position after each read, and an MP3 decoder loses its bit reservoir by that
    audio.seekable = lambda: False
    return audio


def _check(audio: "SoundFile", stream: io.FileIO | io.BytesIO, name: str) -> None:
    """Raise AudioError for a file that is cut off or empty, or whose header can't be right."""
    missing = find_truncation(audio, stream)
    if missing:
        raise AudioError(f"{name}: cut off: {missing}")
    if audio.frames >= 1 << 62:
        raise AudioError(f"{name}: its header doesn't say how long it is; try: {ffmpeg_command(name)}")
    if not audio.frames:
        raise AudioError(f"{name}: no samples in it")
    if not 1000 <= audio.samplerate <= 1_000_000:
        raise AudioError(f"{name}: a sampling rate of {audio.samplerate} Hz can't be right")


def _frame_range(
    name: str, frames: int, rate: int, start: float | None, end: float | None
) -> tuple[int, int]:
    """Return the first frame of an interval in seconds, and the one after its last. Raises AudioError."""
    start_seconds = 0.0 if start is None else start
    end_seconds = math.inf if end is None else end
    if not 0 <= start_seconds < end_seconds:
        raise AudioError(f"{name}: not an interval of time: {start_seconds:g} s to {end_seconds:g} s")
    length = frames / rate
    if end is not None and end > length + _END_TOLERANCE:
        raise AudioError(f"{name}: the end, {end:g} s, is after the end of the file, {length:.3f} s")
    first = round(start_seconds * rate)
    last = frames if end is None else min(round(end * rate), frames)
    if first >= frames:
        raise AudioError(
            f"{name}: the start, {start_seconds:g} s, is after the end of the file, {length:.3f} s"
        )
    if first == last:
        raise AudioError(f"{name}: no samples from {start_seconds:g} s to {end_seconds:g} s")
    return first, last


def _decode(audio: "SoundFile", name: str, channel: Channel, first: int, last: int) -> Iterator[FloatArray]:
    """Yield the frames from `first` up to `last` of one channel, or of the average of all.

    Blocks are (samples,) float32 at the rate of the file. Raises AudioError for a channel that the file does not have,
    and for data that ends early or can't be decoded.
    """
    import soundfile

    if channel != "mix" and not 0 <= channel < audio.channels:
        raise AudioError(f"{name}: no channel {channel}; it has {audio.channels}, counted from 0")
    block_frames = max(1, _BLOCK // audio.channels)
    try:
        # libsndfile's seeking in Ogg is off by many samples, so the frames before `first` are decoded and dropped
        position = 0
        if first and audio.format != "OGG":
            position = audio.seek(first)
        while position < last:
            block = audio.read(min(block_frames, last - position), dtype="float32", always_2d=True)
            if not len(block):
                break
            selected = block[max(0, first - position) :]
            position += len(block)
            if len(selected):
                # a copy, because a view would keep all channels in memory
                yield (
                    selected.mean(axis=1) if channel == "mix" else np.ascontiguousarray(selected[:, channel])
                )
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().removeprefix("Error : ").rstrip(".") or "the decoder stopped"
        raise AudioError(f"{name}: cut off or damaged ({reason})") from None
    if last - position > (_MP3_TOLERANCE if audio.format == "MP3" else 0):
        raise AudioError(f"{name}: cut off: {position} of {last} samples are there")
