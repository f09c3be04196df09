"""Waveforms to sound files and streams, whole or while they are made."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import BinaryIO

import numpy as np

from spiritlm_cli.audio.encoders import Encoding, Put, encode_to_file, pipe_wav, write_all
from spiritlm_cli.errors import AudioError
from spiritlm_cli.manifests.clip import FloatArray, Waveform

# By suffix: the format, and the subtype where it isn't the format's usual one.
_FORMATS = {".wav": ("WAV", None), ".flac": ("FLAC", None), ".ogg": ("OGG", None), ".opus": ("OGG", "OPUS")}
_FLOATS = ("FLOAT", "DOUBLE")


class AudioWriter:
    """Sound that is written while it is made; memory holds a block of it.

        with AudioWriter("out.wav", 16000) as writer:
            for block in blocks:
                writer.write(block)

    A file gets its name when the `with` is left, and there is none where an error leaves it. What is given open
    is a stream and need not be seekable; so are devices and named pipes. WAV of PCM_16 or FLOAT goes out to a
    stream with every `write`; its header says the length where `frames` does, and else that it isn't known.
    Other formats go out to a stream when the `with` is left.
    """

    _put: Put
    _stack: ExitStack

    def __init__(
        self,
        target: Path | str | BinaryIO,
        rate: int,
        *,
        format: str | None = None,  # noqa: A002
        subtype: str | None = None,
        frames: int | None = None,
    ) -> None:
        """rate: samples a second; frames: how many samples there will be, where that is known.

        format: libsndfile's name (WAV, FLAC, OGG, …); by default what the file's suffix says (.wav, .flac, .ogg,
        which is Vorbis, .opus), and WAV for a stream. subtype: libsndfile's name; by default 16 bits where the
        format has them; FLOAT is for WAV.
        Raises AudioError for a suffix or format that isn't known, and for a subtype that the format doesn't have.
        """
        import soundfile

        self._target = Path(target) if isinstance(target, str) else target
        self._name = str(target) if isinstance(target, (str, Path)) else "the stream"
        if format is None and isinstance(self._target, Path):
            check_output_path(self._target, subtype)
            format, usual = _FORMATS.get(self._target.suffix.lower(), ("WAV", None))  # noqa: A001
            subtype = subtype or usual
        format = (format or "WAV").upper()  # noqa: A001
        if format not in soundfile.available_formats():
            raise AudioError(f"{self._name}: no format is called {format}")
        subtype = subtype or soundfile.default_subtype(format)
        _check_subtype(self._name, format, subtype)
        self._encoding = Encoding(format, subtype, rate)
        self._frames = frames
        self._written = 0

    def __enter__(self) -> "AudioWriter":
        """Raises AudioError for a file that can't be made, and for a rate that the format doesn't have."""
        with self._errors(), ExitStack() as stack:
            self._put = self._open(stack)
            self._stack = stack.pop_all()
        return self

    def write(self, samples: FloatArray) -> None:
        """samples: (samples,) float32. Those beyond ±1 are clipped, but not in files of floats.

        Raises AudioError for NaN or infinity, and for a file that can't be written; ValueError for more than
        `frames`. Errors of an open stream (a closed pipe) pass as they are.
        """
        if not np.isfinite(samples).all():
            raise AudioError(f"{self._name}: the waveform holds samples that are not a number or infinite")
        self._written += len(samples)
        if self._frames is not None and self._written > self._frames:
            raise ValueError(f"{self._written} samples, but {self._frames} were announced")
        if self._encoding.subtype not in _FLOATS:
            samples = np.clip(samples, -1, 1)
        with self._errors():
            self._put(samples)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises what `write` does, and ValueError for less than `frames`."""
        if kind is None and self._frames is not None and self._written < self._frames:
            with self._stack:
                raise ValueError(f"{self._written} samples, but {self._frames} were announced")
        with self._errors():
            self._stack.__exit__(kind, error, trace)

    def _open(self, stack: ExitStack) -> Put:
        """What writes samples; leaving the stack ends it."""
        target = self._target
        if isinstance(target, Path):
            if not _is_device(target):
                file = stack.enter_context(_whole_file(target))
                return stack.enter_context(encode_to_file(file, self._encoding, self._name))
            target = stack.enter_context(io.FileIO(target, "w"))
        if self._encoding.can_be_piped:
            return stack.enter_context(pipe_wav(target, self._encoding, self._frames))
        file = stack.enter_context(_copied_to(target))
        return stack.enter_context(encode_to_file(file, self._encoding, self._name))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of files with their names."""
        try:
            yield
        except OSError as error:
            if not isinstance(self._target, Path):
                raise
            raise AudioError(f"{self._name}: can't be written ({error.strerror or error})") from None


def write_audio(
    target: Path | str | BinaryIO,
    waveform: Waveform,
    *,
    format: str | None = None,  # noqa: A002
    subtype: str | None = None,
) -> None:
    """Write a waveform, as `AudioWriter` does, which says what can be a target, a format and a subtype.

    Raises AudioError for a suffix or format that isn't known, for NaN or infinity, and for a file that can't
    be written. Errors of a stream (a closed pipe) pass as they are.
    """
    frames = len(waveform.samples)
    with AudioWriter(target, waveform.rate, format=format, subtype=subtype, frames=frames) as writer:
        writer.write(waveform.samples)


def check_output_path(path: Path | str, subtype: str | None = None) -> None:
    """Raises AudioError where no sound can be written under a name.

    Its suffix is unknown, or its format doesn't have the subtype, or there is no such folder.
    """
    path = Path(path)
    if _is_device(path):
        return
    if path.suffix.lower() not in _FORMATS:
        raise AudioError(f"{path}: its suffix should say the format: {', '.join(_FORMATS)}")
    if not path.parent.is_dir():
        raise AudioError(f"{path}: can't be written (there is no folder {path.parent})")
    if subtype:
        _check_subtype(str(path), _FORMATS[path.suffix.lower()][0], subtype)


def _check_subtype(name: str, format: str, subtype: str) -> None:  # noqa: A002
    import soundfile

    if not soundfile.check_format(format, subtype):
        if subtype in _FLOATS:
            known = "samples of floats need .wav"
        else:
            known = f"{format} has {', '.join(soundfile.available_subtypes(format))}"
        raise AudioError(f"{name}: {format} with {subtype} can't be written; {known}")


def _is_device(path: Path) -> bool:
    """Whether it is /dev/stdout or a named pipe: not to be replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def _whole_file(path: Path) -> Iterator[io.FileIO]:
    """A file that gets its name when the block is left, and is removed where an error leaves it."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    path = path.resolve()  # a link stays a link
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb", buffering=0) as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def _copied_to(stream: BinaryIO) -> Iterator[io.FileIO]:
    """A file that is copied to the stream when the block is left: most formats go back to their header."""
    with TemporaryFile(buffering=0) as file:
        yield file
        file.seek(0)
        while content := file.read(1 << 16):
            write_all(stream, content)
        stream.flush()
