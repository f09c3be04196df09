"""Open the decoder of an audio file or stream, after checks of what its header states."""

import io
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from spiritlm_cli.audio.c_messages import drop_c_messages
from spiritlm_cli.audio.chunks import PatchedFile, SoundData, find_sound_data
from spiritlm_cli.audio.formats import RATES
from spiritlm_cli.audio.framing import count_ogg_streams, find_flac_samples
from spiritlm_cli.audio.mpeg import check_mpeg_frames
from spiritlm_cli.audio.probing import (
    describe_sizes,
    explain_unreadable,
    ffmpeg_command,
    find_truncation,
    is_supported,
)
from spiritlm_cli.errors import AudioError
from spiritlm_cli.streams import standard_input

if TYPE_CHECKING:
    from soundfile import SoundFile

# Samples, of all channels, decoded at a time. Memory is never allocated by the length that a header states.
BLOCK = 1 << 17
# Bytes of a stream kept in memory; a longer stream is copied to a temporary file.
_MAX_IN_MEMORY = 1 << 26
# Bytes at the beginning of a file that show what it is.
_HEAD = 512
# libsndfile states this many frames or more for "unknown".
_UNKNOWN_FRAMES = 1 << 62


@dataclass(frozen=True)
class Decoder:
    """A decoder at the start of its file. frames: samples per channel."""

    audio: "SoundFile"
    frames: int


@contextmanager
def open_decoder(source: Path | str | BinaryIO, name: str) -> Iterator[Decoder]:
    """Open the decoder of a file, a binary stream, or standard input ("-").

    name: of the source, for errors. The length of a file that does not state it is found by decoding it once.
    Raises AudioError for what can't be read or is not audio, is empty or cut off, and for a header that contradicts the
    rest of the file.
    """
    with ExitStack() as stack:
        stream = _open(source, name, stack)
        sound_data = _check_content(stream, name)
        readable: io.RawIOBase | io.BytesIO = stream
        if sound_data and sound_data.stated is None:
            readable = PatchedFile(stream, *sound_data.patch)
        audio = stack.enter_context(_decoder(readable, name))
        _check_header(audio, stream, name)
        frames = audio.frames
        if frames >= _UNKNOWN_FRAMES:
            frames = _count_frames(audio, name)
            audio = stack.enter_context(_decoder(readable, name))
        if not frames:
            raise AudioError(f"{name}: no samples in it")
        yield Decoder(audio, frames)


@contextmanager
def naming_errors(name: str) -> Iterator[None]:
    """Turn an error of the decoder into an AudioError that names the file."""
    import soundfile

    try:
        yield
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().removeprefix("Error : ").rstrip(".") or "the decoder stopped"
        raise AudioError(f"{name}: cut off or damaged ({reason})") from None


def _open(source: Path | str | BinaryIO, name: str, stack: ExitStack) -> io.FileIO | io.BytesIO:
    """Open a source as a seekable stream; `stack` closes it."""
    if not isinstance(source, (str, Path)):
        return _copy_to_seekable(source, name, stack)
    if source == "-":
        return _copy_to_seekable(standard_input(), name, stack)
    try:
        # unbuffered, because the decoder moves the position of the same descriptor
        file = stack.enter_context(io.FileIO(source))
        mode = os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        raise AudioError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise AudioError(f"{name}: a folder, not a sound file") from None
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        raise AudioError(f"{name}: can't be read ({getattr(error, 'strerror', None) or error})") from None
    if stat.S_ISREG(mode):
        return file
    # A terminal or /dev/zero never ends.
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return _copy_to_seekable(file, name, stack)
    raise AudioError(f"{name}: a device, not a sound file")


def _copy_to_seekable(stream: BinaryIO, name: str, stack: ExitStack) -> io.FileIO | io.BytesIO:
    """Copy a stream to memory, or to a temporary file if it is long, because decoders seek.

    Raises AudioError as soon as it can't be audio, as a stream may have no end.
    """
    buffer = io.BytesIO()
    try:
        while buffer.tell() <= _MAX_IN_MEMORY:
            content = stream.read(1 << 16)
            if not content:
                buffer.seek(0)
                return buffer
            is_new = buffer.tell() < _HEAD
            buffer.write(content)
            if is_new and buffer.tell() >= _HEAD:
                _check_format(bytes(buffer.getbuffer()[:_HEAD]), name)
        file = stack.enter_context(TemporaryFile())  # noqa: SIM115
        file.write(buffer.getbuffer())
        shutil.copyfileobj(stream, file)
        file.flush()
    except OSError as error:
        raise AudioError(f"{name}: can't be read ({error.strerror or error})") from None
    copy = io.FileIO(file.fileno(), closefd=False)
    copy.seek(0)
    return copy


def _check_content(stream: io.FileIO | io.BytesIO, name: str) -> SoundData | None:
    """Compare what the header states to the file, before the decoder sees it. Returns the sound data of WAV and others.

    Raises AudioError. The stream is at its start afterwards.
    """
    problem = None
    sound_data = find_sound_data(stream)
    if sound_data:
        problem = describe_sizes(sound_data, name)
    elif (samples := find_flac_samples(stream)) and 0 < samples[0] < samples[1]:
        problem = f"its header says {samples[0]} samples, but there are {samples[1]}; {_convert(name)}"
    elif (count := count_ogg_streams(stream)) > 1:
        problem = f"{count} Ogg streams, one after another, of which only the first can be read here; {_convert(name)}"
    elif reason := check_mpeg_frames(stream):
        problem = reason if reason.startswith("cut off") else f"{reason}; {_convert(name)}"
    stream.seek(0)
    if problem:
        raise AudioError(f"{name}: {problem}")
    return sound_data


def _convert(name: str) -> str:
    return f"try: {ffmpeg_command(name)}"


def _check_format(head: bytes, name: str) -> None:
    """Raise AudioError for a file that does not begin as one of a format that is read."""
    if not is_supported(head):
        raise AudioError(f"{name}: {explain_unreadable(head, name, recognized=False)}")


def _decoder(stream: io.RawIOBase | io.BytesIO, name: str) -> "SoundFile":
    """Open the decoder of a stream. Raises AudioError if it is not audio, or in a format that can't be decoded."""
    import soundfile

    stream.seek(0)
    head = stream.read(_HEAD) or b""
    stream.seek(0)
    _check_format(head, name)
    try:
        with drop_c_messages():  # what they say, the error below does
            audio = soundfile.SoundFile(
                stream.fileno() if isinstance(stream, io.FileIO) else stream, closefd=False
            )
    except soundfile.LibsndfileError as error:
        # 1 is libsndfile's SF_ERR_UNRECOGNISED_FORMAT
        reason = explain_unreadable(head, name, recognized=error.code != 1)
        raise AudioError(f"{name}: {reason}") from None
    # soundfile seeks to the current position after each read, and an MP3 decoder loses its bit reservoir by that
    audio.seekable = lambda: False
    return audio


def _check_header(audio: "SoundFile", stream: io.FileIO | io.BytesIO, name: str) -> None:
    """Raise AudioError for a file that is cut off, or whose header can't be right."""
    missing = find_truncation(audio, stream)
    if missing:
        raise AudioError(f"{name}: cut off: {missing}")
    if audio.samplerate not in RATES:
        raise AudioError(f"{name}: a sampling rate of {audio.samplerate} Hz can't be right")


def _count_frames(audio: "SoundFile", name: str) -> int:
    """Decode a file to its end. Returns the number of frames."""
    frames = 0
    with naming_errors(name):
        while count := len(audio.read(max(1, BLOCK // audio.channels), dtype="float32")):
            frames += count
    return frames
