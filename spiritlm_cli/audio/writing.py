"""Waveforms to sound files and streams."""

import io
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from spiritlm_cli.audio.clip import FloatArray, Waveform
from spiritlm_cli.errors import AudioError

_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".opus": "OGG"}
_FLOATS = ("FLOAT", "DOUBLE")
# libsndfile's Vorbis encoder takes all it is given onto its stack.
_BLOCK = 1 << 16


def write_audio(
    target: Path | str | BinaryIO,
    waveform: Waveform,
    *,
    format: str | None = None,  # noqa: A002
    subtype: str | None = None,
) -> None:
    """Write a waveform; a file appears under its name only when it is complete.

    format: libsndfile's name (WAV, FLAC, OGG, …); by default what the file's suffix says (.wav, .flac, .ogg,
    which is Vorbis, .opus), and WAV for a stream, which need not be seekable. subtype: libsndfile's name; by
    default 16 bits where the format has them. Samples beyond ±1 are clipped, but not in files of floats (FLOAT).
    Raises AudioError for a suffix or format that isn't known, for NaN or infinity, and for a file that can't
    be written. Errors of a stream (a closed pipe) pass as they are.
    """
    if not isinstance(target, (str, Path)):
        target.write(_encode(waveform, format or "WAV", subtype, "the stream"))
        target.flush()
        return
    if format is None:
        check_target(target)
        suffix = Path(target).suffix.lower()
        format = _FORMATS[suffix]  # noqa: A001
        subtype = subtype or ("OPUS" if suffix == ".opus" else None)
    encoded = _encode(waveform, format, subtype, str(target))
    try:
        _write_whole(Path(target), encoded)
    except OSError as error:
        raise AudioError(f"{target}: can't be written ({error.strerror or error})") from None


def check_target(path: Path | str) -> None:
    """Raises AudioError where `write_audio` can't write there: its suffix is unknown, or it has no folder."""
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise AudioError(f"{path}: its suffix should say the format: {', '.join(_FORMATS)}")
    if not path.parent.is_dir():
        raise AudioError(f"{path}: can't be written (there is no folder {path.parent})")


def _encode(waveform: Waveform, format: str, subtype: str | None, name: str) -> bytes:  # noqa: A002
    import soundfile

    samples: FloatArray = waveform.samples
    if not np.isfinite(samples).all():
        raise AudioError(f"{name}: the waveform holds samples that are not a number or infinite")
    format = format.upper()  # noqa: A001
    if format not in soundfile.available_formats():
        raise AudioError(f"{name}: no format is called {format}")
    subtype = subtype or soundfile.default_subtype(format)
    if not soundfile.check_format(format, subtype):
        raise AudioError(f"{name}: {format} with {subtype} can't be written")
    if subtype not in _FLOATS:
        samples = np.clip(samples, -1, 1)
    encoded = io.BytesIO()
    try:
        with soundfile.SoundFile(
            encoded, "w", waveform.rate, channels=1, format=format, subtype=subtype, closefd=False
        ) as sound:
            for start in range(0, len(samples), _BLOCK):
                sound.write(samples[start : start + _BLOCK])
    except soundfile.LibsndfileError:
        raise AudioError(
            f"{name}: {format} with {subtype} can't hold {waveform.rate} samples a second"
        ) from None
    return encoded.getvalue()


def _write_whole(path: Path, content: bytes) -> None:
    if path.exists() and not path.is_file():  # /dev/stdout, a named pipe: not to be replaced
        path.write_bytes(content)
        return
    path = path.resolve()  # a link stays a link
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
