"""Sound files to waveforms: any rate, any number of channels, all of a file, a stretch of it, or its windows."""

import io
import math
import shutil
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from spiritlm_cli.audio.probing import to_wav, why_cut_off, why_unreadable
from spiritlm_cli.audio.resampling import Resampler
from spiritlm_cli.errors import AudioError
from spiritlm_cli.files import standard_input
from spiritlm_cli.manifests.clip import Clip, FloatArray, Waveform

if TYPE_CHECKING:
    from soundfile import SoundFile

Channel = Literal["mix"] | int

# Samples (of all channels) decoded at a time: what a header promises is never taken as memory.
_BLOCK = 1 << 17
# Bytes of a stream that are held in memory; longer ones go to a temporary file.
_SPOOL = 1 << 26
# Ends in a manifest are often rounded up.
_SLACK_SECONDS = 0.1
# MP3 counts in frames, and files that end inside one are everywhere.
_MP3_SLACK = 2 * 1152


def read_audio(
    source: Path | str | BinaryIO,
    *,
    rate: int = 16000,
    channel: Channel = "mix",
    start: float | None = None,
    end: float | None = None,
) -> Waveform:
    """Sound from a file, from a binary stream, or ("-") from standard input, resampled to `rate`.

    channel: "mix" averages all channels, a number takes one of them, from 0.
    start, end: seconds; the stretch alone is read (an end up to 0.1 s past the file's is taken as its end).
    Returns float32 samples; full scale is ±1, but files of floats may go beyond.
    Raises AudioError, naming the file, for what is missing, not audio, empty, cut off, or holds NaN or
    infinity, for a channel it doesn't have, and for a stretch outside it. Streams are read to their end first,
    into memory, and beyond 64 MB into a temporary file.
    """
    return Waveform(np.concatenate(list(_blocks(source, rate, channel, start, end))), rate)


def read_clip(clip: Clip, *, rate: int = 16000, channel: Channel = "mix") -> Waveform:
    """The clip's stretch of its file (see `read_audio`)."""
    return read_audio(clip.source, rate=rate, channel=channel, start=clip.start, end=clip.end)


def read_windows(
    clip: Clip, *, rate: int = 16000, channel: Channel = "mix", window_seconds: float, min_seconds: float
) -> Iterator[Waveform]:
    """The clip's stretch of its file in windows, one after another; memory holds about one of them at a time.

    Each has round(window_seconds * rate) samples, and the last what is left. Where that is less than
    round(min_seconds * rate) samples, it comes at the end of the window before it. There is always one window.
    Together they are what `read_clip` gives, sample for sample.
    Raises AudioError as `read_audio` does, when the fault is met, so that windows may have come before it;
    ValueError for a window of no samples.
    """
    size = round(window_seconds * rate)
    if size < 1:
        raise ValueError(f"a window of {window_seconds:g} s has no samples")
    # So much of what follows a window is read before it is given, as a short remainder belongs to it.
    rest = max(1, min(round(min_seconds * rate), size))
    held: list[FloatArray] = []
    count = 0
    with closing(_blocks(clip.source, rate, channel, clip.start, clip.end)) as blocks:
        for block in blocks:
            held.append(block)
            count += len(block)
            if count >= size + rest:
                samples = np.concatenate(held)
                while len(samples) >= size + rest:
                    yield Waveform(samples[:size], rate)
                    samples = samples[size:]
                held = [samples]
                count = len(samples)
    yield Waveform(np.concatenate(held), rate)


def _blocks(
    source: Path | str | BinaryIO, rate: int, channel: Channel, start: float | None, end: float | None
) -> Generator[FloatArray, None, None]:
    """What `read_audio` gives, in blocks of any length, at least one."""
    name = _name(source)
    with ExitStack() as stack:
        stream = _open(source, name, stack)
        sound = stack.enter_context(_decoder(stream, name))
        _check(sound, stream, name)
        first, last = _stretch(name, sound.frames, sound.samplerate, start, end)
        resampler = Resampler(sound.samplerate, rate)
        at = first
        for block in _decode(sound, name, channel, first, last):
            finite = np.isfinite(block)
            if not finite.all():
                at += int(np.argmin(finite))
                where = f"sample {at} ({at / sound.samplerate:.3f} s)"
                raise AudioError(f"{name}: not a number or infinite at {where}")
            yield resampler.feed(block)
            at += len(block)
        yield resampler.feed(np.empty(0, np.float32), last=True)


def _name(source: Path | str | BinaryIO) -> str:
    if source == "-":
        return "stdin"
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "the stream"))


def _open(source: Path | str | BinaryIO, name: str, stack: ExitStack) -> io.FileIO | io.BytesIO:
    """The bytes of a sound, where any of them can be reached."""
    if not isinstance(source, (str, Path)):
        return _spooled(source, name, stack)
    if source == "-":
        return _spooled(standard_input(), name, stack)
    try:
        # Unbuffered, because the decoder moves the same descriptor.
        file = stack.enter_context(io.FileIO(source))
    except FileNotFoundError:
        raise AudioError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise AudioError(f"{name}: a folder, not a sound file") from None
    except OSError as error:
        raise AudioError(f"{name}: can't be read ({error.strerror or error})") from None
    return file if file.seekable() else _spooled(file, name, stack)


def _spooled(stream: BinaryIO, name: str, stack: ExitStack) -> io.FileIO | io.BytesIO:
    """All of a stream, in memory or in a temporary file, as decoders go back and forth."""
    held = io.BytesIO()
    try:
        while held.tell() <= _SPOOL:
            content = stream.read(1 << 16)
            if not content:
                held.seek(0)
                return held
            held.write(content)
        file = stack.enter_context(TemporaryFile())  # noqa: SIM115
        file.write(held.getbuffer())
        shutil.copyfileobj(stream, file)
        file.flush()
    except OSError as error:
        raise AudioError(f"{name}: can't be read ({error.strerror or error})") from None
    spool = io.FileIO(file.fileno(), closefd=False)
    spool.seek(0)
    return spool


def _decoder(stream: io.FileIO | io.BytesIO, name: str) -> "SoundFile":
    import soundfile

    try:
        sound = soundfile.SoundFile(
            stream.fileno() if isinstance(stream, io.FileIO) else stream, closefd=False
        )
    except soundfile.LibsndfileError as error:
        stream.seek(0)
        # 1 is libsndfile's SF_ERR_UNRECOGNISED_FORMAT.
        raise AudioError(f"{name}: {why_unreadable(stream.read(512), name, error.code != 1)}") from None
    # soundfile seeks after each read, to where it is anyway, and MP3 loses what it carries over there.
    sound.seekable = lambda: False
    return sound


def _check(sound: "SoundFile", stream: io.FileIO | io.BytesIO, name: str) -> None:
    """Raises AudioError for what is not all there, or can't be."""
    cut = why_cut_off(sound, stream)
    if cut:
        raise AudioError(f"{name}: cut off: {cut}")
    if sound.frames >= 1 << 62:
        raise AudioError(f"{name}: its header doesn't say how long it is; try: {to_wav(name)}")
    if not sound.frames:
        raise AudioError(f"{name}: no samples in it")
    if not 1000 <= sound.samplerate <= 1_000_000:
        raise AudioError(f"{name}: {sound.samplerate} samples a second can't be right")


def _stretch(name: str, frames: int, rate: int, start: float | None, end: float | None) -> tuple[int, int]:
    """The first frame and the one after the last."""
    begin = 0.0 if start is None else start
    stop = math.inf if end is None else end
    if not 0 <= begin < stop:
        raise AudioError(f"{name}: no stretch of time: from {begin:g} s to {stop:g} s")
    length = frames / rate
    if end is not None and end > length + _SLACK_SECONDS:
        raise AudioError(f"{name}: is to be read up to {end:g} s and is {length:.3f} s long")
    first = round(begin * rate)
    last = frames if end is None else min(round(end * rate), frames)
    if first >= frames:
        raise AudioError(f"{name}: is to be read from {begin:g} s and is {length:.3f} s long")
    if first == last:
        raise AudioError(f"{name}: no samples from {begin:g} s to {stop:g} s")
    return first, last


def _decode(sound: "SoundFile", name: str, channel: Channel, first: int, last: int) -> Iterator[FloatArray]:
    """One channel of the frames from `first` up to `last`, in blocks, (samples,) float32 at the file's rate."""
    import soundfile

    if channel != "mix" and not 0 <= channel < sound.channels:
        raise AudioError(f"{name}: no channel {channel}; it has {sound.channels}, counted from 0")
    step = max(1, _BLOCK // sound.channels)
    try:
        # libsndfile's seeking in Ogg is inexact by many samples, so what comes before is decoded and dropped.
        at = 0
        if first and sound.format != "OGG":
            at = sound.seek(first)
        while at < last:
            block = sound.read(min(step, last - at), dtype="float32", always_2d=True)
            if not len(block):
                break
            wanted = block[max(0, first - at) :]
            at += len(block)
            if len(wanted):
                # A copy, as a view would hold all channels in memory.
                yield wanted.mean(axis=1) if channel == "mix" else np.ascontiguousarray(wanted[:, channel])
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().removeprefix("Error : ").rstrip(".") or "the decoder stopped"
        raise AudioError(f"{name}: cut off or damaged ({reason})") from None
    if last - at > (_MP3_SLACK if sound.format == "MP3" else 0):
        raise AudioError(f"{name}: cut off: {at} of {last} samples are there")
