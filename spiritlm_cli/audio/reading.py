"""Read audio files as waveforms: whole, an interval, or window by window; any sampling rate, any number of channels."""

import math
import shlex
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from spiritlm_cli.audio.c_messages import drop_c_messages
from spiritlm_cli.audio.decoders import BLOCK, naming_errors, open_decoder
from spiritlm_cli.audio.resampling import Resampler
from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import Clip, FloatArray, Waveform

if TYPE_CHECKING:
    from soundfile import SoundFile

Channel = Literal["mix"] | int

# The largest sample value, where full scale is 1. Mastering exceeds full scale by a few dB; 24 dB are allowed. Larger
# values are those of integers, stored as floats.
MAX_LEVEL = 16.0
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
    Returns float32 samples, full scale ±1; files of floats may exceed it, up to ±16. A stream is first read to its end,
    into memory, or into a temporary file beyond 64 MB.
    Raises AudioError, which names the file, if it is missing, not audio, empty or cut off, if its header states less
    sound than there is, or if it contains NaN, infinity or values over 16; and for a channel or an interval that it
    does not have.
    """
    return Waveform(np.concatenate(list(_blocks(source, rate, channel, start, end))), rate)


def read_clip(clip: Clip, *, rate: int = 16000, channel: Channel = "mix") -> Waveform:
    """Read the waveform of a clip; see `read_audio` for the parameters, the result and the errors."""
    return read_audio(clip.source, rate=rate, channel=channel, start=clip.start, end=clip.end)


def clip_seconds(clip: Clip) -> float:
    """Return the length of a clip in seconds, by the header of its file. Raises AudioError."""
    if clip.end is not None:
        return clip.end - (clip.start or 0.0)
    with open_decoder(clip.source, _name(clip.source)) as decoder:
        length: float = decoder.frames / decoder.audio.samplerate
    return length - (clip.start or 0.0)


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
    with open_decoder(source, name) as decoder:
        audio = decoder.audio
        first, last = _frame_range(name, decoder.frames, audio.samplerate, start, end)
        resampler = Resampler(audio.samplerate, rate)
        index = first
        for block in _decode(audio, name, channel, first, last):
            _check_samples(block, name, index, audio.samplerate)
            yield resampler.feed(block)
            index += len(block)
        yield resampler.feed(np.empty(0, np.float32), last=True)


def _name(source: Path | str | BinaryIO) -> str:
    if source == "-":
        return "stdin"
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "the stream"))


def _check_samples(block: FloatArray, name: str, index: int, rate: int) -> None:
    """Raise AudioError for samples that are no number, infinite, or far outside of full scale.

    index: of the first sample in the file. rate: of the file, in Hz.
    """
    # Comparisons with NaN are false.
    usable = np.abs(block) <= MAX_LEVEL
    if usable.all():
        return
    place = int(np.argmin(usable))
    value, index = block[place], index + place
    where = f"sample {index} ({index / rate:.3f} s)"
    if not np.isfinite(value):
        raise AudioError(f"{name}: not a number or infinite at {where}")
    raise AudioError(f"{name}: a value of {value:g} at {where}, where full scale is 1; {_rescaling(name)}")


def _rescaling(name: str) -> str:
    """Return the advice for a file with the values of 16-bit integers as floats."""
    output = shlex.quote(PurePath(name).stem + "-scaled.wav")
    return f"if these are 16-bit values, try: ffmpeg -i {shlex.quote(name)} -af volume=1/32768 {output}"


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
    if channel != "mix" and not 0 <= channel < audio.channels:
        raise AudioError(f"{name}: no channel {channel}; it has {audio.channels}, counted from 0")
    position = 0
    with naming_errors(name):
        for position, block in _frames(audio, first, last):  # noqa: B007 used below
            yield _select(block, channel)
    if last - position > (_MP3_TOLERANCE if audio.format == "MP3" else 0):
        raise AudioError(f"{name}: cut off: {position} of {last} samples are there")


def _frames(audio: "SoundFile", first: int, last: int) -> Iterator[tuple[int, FloatArray]]:
    """Yield the frames from `first` up to `last`, or to the end of the file, in blocks.

    Each block is (frames, channels) float32, with the number of the frame after it.
    """

    def read(position: int) -> FloatArray:
        frames = min(max(1, BLOCK // audio.channels), last - position)
        block: FloatArray = audio.read(frames, dtype="float32", always_2d=True)
        return block

    position = 0
    if first and audio.format != "OGG":
        with drop_c_messages():
            position = audio.seek(first)
            block = read(position)
    else:
        # libsndfile's seeking in Ogg is off by many samples, so the frames before `first` are decoded and dropped
        block = read(position)
    while len(block):
        selected = block[max(0, first - position) :]
        position += len(block)
        if len(selected):
            yield position, selected
        block = read(position) if position < last else block[:0]


def _select(block: FloatArray, channel: Channel) -> FloatArray:
    """Return one channel of a block, or the average of all. block: (frames, channels). Returns (frames,)."""
    if channel == "mix":
        with np.errstate(all="ignore"):  # the caller checks for infinities
            mixed: FloatArray = block.mean(axis=1)
        return mixed
    # A copy, because a view would keep all channels in memory.
    return np.ascontiguousarray(block[:, channel])
