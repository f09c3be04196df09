"""Write waveforms to audio files and streams, whole or block by block."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import BinaryIO

import numpy as np

from spiritlm_cli.audio.encoders import Encoding, WriteSamples, encode_to_file, encode_wav_to_pipe, write_all
from spiritlm_cli.audio.formats import FORMATS, FileFormat, find_format, format_of
from spiritlm_cli.errors import AudioError
from spiritlm_cli.files import concerns_one_file, open_atomic
from spiritlm_cli.manifests.clip import FloatArray, Waveform
from spiritlm_cli.streams import is_written_through, open_through

_FLOAT_SUBTYPES = ("FLOAT", "DOUBLE")


class AudioWriter:
    """Write audio block by block, with one block in memory.

        with AudioWriter("out.wav", 16000) as writer:
            for block in blocks:
                writer.write(block)

    A file appears under its name when the `with` block ends, and does not appear if the block raises. An open file, a
    device and a named pipe are streams, and need not be seekable. WAV with PCM_16 or FLOAT samples is sent to a stream
    by each `write`; its header states the length if `frames` is given, and "unknown" otherwise. Other formats are sent
    to a stream when the `with` block ends.
    """

    _write_samples: WriteSamples
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
        """Choose the format; entering the `with` block opens the target.

        rate: in Hz. frames: number of samples that will be written, if known.
        format: libsndfile's name (WAV, FLAC, OGG, …); by default from the suffix of the file (.wav, .flac, .ogg for
        Vorbis, .opus), and WAV for a stream. subtype: libsndfile's name, such as PCM_16 or FLOAT; by default the
        default subtype of the format, 16 bits for WAV and FLAC.
        Raises AudioError for an unknown suffix or format, and for a rate or subtype that the format does not have.
        """
        self._target = Path(target) if isinstance(target, str) else target
        self._name = str(target) if isinstance(target, (str, Path)) else "the stream"
        if format is None and isinstance(self._target, Path):
            check_output_path(self._target, subtype)
            known = format_of(self._target)
            format, subtype = known.container, subtype or known.subtype  # noqa: A001
        known = _find_format(self._name, (format or "WAV").upper(), subtype)
        subtype = subtype or known.subtype
        _check_subtype(self._name, known.container, subtype)
        if problem := known.explain_rate(rate):
            raise AudioError(f"{self._name}: {problem}")
        self._encoding = Encoding(known.container, subtype, rate)
        self._frames = frames
        self._written = 0

    def __enter__(self) -> "AudioWriter":
        """Raises AudioError for a file that can't be created, and for a rate that the format does not have."""
        with self._name_errors(), ExitStack() as stack:
            self._write_samples = self._open(stack)
            self._stack = stack.pop_all()
        return self

    def write(self, samples: FloatArray) -> None:
        """Write a block of samples. samples: (samples,) float32; clipped to ±1 unless the subtype is a float one.

        Raises AudioError for NaN and infinity, and for a file that can't be written; ValueError for more than `frames`
        samples in all. Errors of an open stream, such as BrokenPipeError, are raised unchanged.
        """
        if not np.isfinite(samples).all():
            raise AudioError(f"{self._name}: the waveform holds samples that are not a number or infinite")
        self._written += len(samples)
        if self._frames is not None and self._written > self._frames:
            raise ValueError(f"{self._written} samples, but {self._frames} were announced")
        if self._encoding.subtype not in _FLOAT_SUBTYPES:
            samples = np.clip(samples, -1, 1)
        with self._name_errors():
            self._write_samples(samples)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises the errors of `write`, and ValueError for less than `frames` samples in all."""
        if kind is None and self._frames is not None and self._written < self._frames:
            with self._stack:
                raise ValueError(f"{self._written} samples, but {self._frames} were announced")
        with self._name_errors():
            self._stack.__exit__(kind, error, trace)

    def _open(self, stack: ExitStack) -> WriteSamples:
        """Open the target on `stack`, which closes it. Return the function that writes samples."""
        target = self._target
        if isinstance(target, Path):
            if not is_written_through(target):
                file = stack.enter_context(open_atomic(target))
                return stack.enter_context(encode_to_file(file, self._encoding, self._name))
            target = stack.enter_context(open_through(target))
        if self._encoding.can_be_piped:
            return stack.enter_context(encode_wav_to_pipe(target, self._encoding, self._frames))
        file = stack.enter_context(_copied_to(target))
        return stack.enter_context(encode_to_file(file, self._encoding, self._name))

    @contextmanager
    def _name_errors(self) -> Iterator[None]:
        """Give the OSErrors of a file its name; those of this file alone become AudioErrors."""
        try:
            yield
        except OSError as error:
            if not isinstance(self._target, Path):
                raise
            if concerns_one_file(error):
                raise AudioError(f"{self._name}: can't be written ({error.strerror or error})") from None
            error.filename = self._name
            raise


def write_audio(
    target: Path | str | BinaryIO,
    waveform: Waveform,
    *,
    format: str | None = None,  # noqa: A002
    subtype: str | None = None,
) -> None:
    """Write a waveform to a file or stream. See `AudioWriter` for `target`, `format` and `subtype`.

    Raises AudioError for an unknown suffix or format, a subtype or rate that the format does not have, NaN and
    infinity, and a file that can't be written. Errors of an open stream, such as BrokenPipeError, are raised unchanged.
    """
    frames = len(waveform.samples)
    with AudioWriter(target, waveform.rate, format=format, subtype=subtype, frames=frames) as writer:
        writer.write(waveform.samples)


def check_output_path(path: Path | str, subtype: str | None = None) -> None:
    """Check that audio can be written to a path.

    Raises AudioError if the suffix names no format that can be written, the format does not have the subtype, or the
    folder is missing.
    """
    path = Path(path)
    known = format_of(path)
    if not is_written_through(path) and not path.parent.is_dir():
        raise AudioError(f"{path}: can't be written (there is no folder {path.parent})")
    _check_subtype(str(path), known.container, subtype or known.subtype)


def _find_format(name: str, container: str, subtype: str | None) -> FileFormat:
    """Return the format of libsndfile's names. Raises AudioError if it is not one of those that can be written."""
    known = find_format(container, subtype)
    if known is None:
        containers = ", ".join(dict.fromkeys(known.container for known in FORMATS.values()))
        raise AudioError(f"{name}: {container} can't be written; what can is {containers}")
    return known


def _check_subtype(name: str, format: str, subtype: str) -> None:  # noqa: A002
    import soundfile

    if not soundfile.check_format(format, subtype):
        if subtype in _FLOAT_SUBTYPES:
            known = "samples of floats need .wav"
        else:
            known = f"{format} has {', '.join(soundfile.available_subtypes(format))}"
        raise AudioError(f"{name}: {format} with {subtype} can't be written; {known}")


@contextmanager
def _copied_to(stream: BinaryIO) -> Iterator[io.FileIO]:
    """Give a temporary file that is copied to the stream when the block ends, as most formats rewrite their header."""
    with TemporaryFile(buffering=0) as file:
        yield file
        file.seek(0)
        while content := file.read(1 << 16):
            write_all(stream, content)
        stream.flush()
