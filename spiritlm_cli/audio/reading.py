"""Sound files to waveforms: any rate, any number of channels, all of a file or a stretch of it."""

import io
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from spiritlm_cli.audio.clip import Clip, FloatArray, Waveform
from spiritlm_cli.audio.containers import to_wav, why_cut_off, why_unreadable
from spiritlm_cli.errors import AudioError

if TYPE_CHECKING:
    from soundfile import SoundFile

Channel = Literal["mix"] | int

# Samples (of all channels) decoded at a time: what a header promises is never taken as memory.
_BLOCK = 1 << 20
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
    infinity, for a channel it doesn't have, and for a stretch outside it. Streams are read into memory whole.
    """
    name = _name(source)
    if isinstance(source, (str, Path)) and source != "-":
        try:
            # Unbuffered, because the decoder moves the same descriptor.
            with Path(source).open("rb", buffering=0) as file:
                if file.seekable():
                    return _read(file, name, rate, channel, start, end)
                return _read(io.BytesIO(file.read()), name, rate, channel, start, end)
        except FileNotFoundError:
            raise AudioError(f"{name}: no such file") from None
        except IsADirectoryError:
            raise AudioError(f"{name}: a folder, not a sound file") from None
        except OSError as error:
            raise AudioError(f"{name}: can't be read ({error.strerror or error})") from None
    stream = sys.stdin.buffer if isinstance(source, (str, Path)) else source
    return _read(io.BytesIO(stream.read()), name, rate, channel, start, end)


def read_clip(clip: Clip, *, rate: int = 16000, channel: Channel = "mix") -> Waveform:
    """The clip's stretch of its file (see `read_audio`)."""
    return read_audio(clip.source, rate=rate, channel=channel, start=clip.start, end=clip.end)


def _name(source: Path | str | BinaryIO) -> str:
    if source == "-":
        return "stdin"
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "name", "the stream"))


def _read(
    stream: io.FileIO | io.BytesIO,
    name: str,
    rate: int,
    channel: Channel,
    start: float | None,
    end: float | None,
) -> Waveform:
    import soundfile
    import soxr

    try:
        sound = soundfile.SoundFile(
            stream.fileno() if isinstance(stream, io.FileIO) else stream, closefd=False
        )
    except soundfile.LibsndfileError as error:
        stream.seek(0)
        # 1 is libsndfile's SF_ERR_UNRECOGNISED_FORMAT.
        raise AudioError(f"{name}: {why_unreadable(stream.read(512), name, error.code != 1)}") from None
    with sound:
        cut = why_cut_off(sound, stream)
        if cut:
            raise AudioError(f"{name}: cut off: {cut}")
        if sound.frames >= 1 << 62:
            raise AudioError(f"{name}: its header doesn't say how long it is; try: {to_wav(name)}")
        if not sound.frames:
            raise AudioError(f"{name}: no samples in it")
        if not 1000 <= sound.samplerate <= 1_000_000:
            raise AudioError(f"{name}: {sound.samplerate} samples a second can't be right")
        first, last = _stretch(name, sound.frames, sound.samplerate, start, end)
        try:
            samples = _decode(sound, name, channel, first, last)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.strip().removeprefix("Error : ").rstrip(".") or "the decoder stopped"
            raise AudioError(f"{name}: cut off or damaged ({reason})") from None
        native = sound.samplerate
    finite = np.isfinite(samples)
    if not finite.all():
        where = first + int(np.argmin(finite))
        raise AudioError(f"{name}: not a number or infinite at sample {where} ({where / native:.3f} s)")
    if native != rate:
        samples = soxr.resample(samples, native, rate, quality="HQ")
    return Waveform(samples, rate)


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


def _decode(sound: "SoundFile", name: str, channel: Channel, first: int, last: int) -> FloatArray:
    """One channel of the frames from `first` up to `last`, (samples,) float32 at the file's rate."""
    if channel != "mix" and not 0 <= channel < sound.channels:
        raise AudioError(f"{name}: no channel {channel}; it has {sound.channels}, counted from 0")
    step = max(1, _BLOCK // sound.channels)
    # libsndfile's seeking in Ogg is inexact by many samples, so what comes before is decoded and dropped.
    at = 0 if sound.format == "OGG" else sound.seek(first)
    pieces: list[FloatArray] = []
    while at < last:
        block = sound.read(min(step, last - at), dtype="float32", always_2d=True)
        if not len(block):
            break
        mono = block.mean(axis=1) if channel == "mix" else block[:, channel]
        pieces.append(mono[max(0, first - at) :])
        at += len(block)
    if last - at > (_MP3_SLACK if sound.format == "MP3" else 0):
        raise AudioError(f"{name}: cut off: {at} of {last} samples are there")
    samples: FloatArray = np.concatenate(pieces) if pieces else np.empty(0, np.float32)
    return samples
