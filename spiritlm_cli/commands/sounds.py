"""Where decoded sound goes: one file, a file for each id in a folder, or stdout."""

import re
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote

from spiritlm_cli.errors import AudioError

if TYPE_CHECKING:
    from spiritlm_cli.audio.clip import Waveform

# Kept as they are in a file's name: letters and digits of any script, and what is harmless on every system.
_UNSAFE = re.compile(r"[^\w .,+=@#()-]|^[. ]|[. ]$")


def file_name(id: str) -> str:  # noqa: A002
    """A file name for an id, without suffix; it has no path in it, and no two ids have the same.

    What is unsafe is percent-encoded, as is the percent sign.
    """
    return _UNSAFE.sub(lambda found: "%2E" if found[0] == "." else quote(found[0], safe=""), id)


class Folder:
    """A file for each sequence, named by its id."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self._folder = folder
        self._suffix = suffix
        self._written: set[str] = set()

    def __enter__(self) -> "Folder":
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, waveform: "Waveform", id: str) -> None:  # noqa: A002
        """Raises AudioError for an id that was there before, even if only in capitals."""
        from spiritlm_cli.audio.writing import write_audio

        name = file_name(id)
        if name.casefold() in self._written:
            raise AudioError(f"{name}{self._suffix} is already written by another line of that id")
        self._written.add(name.casefold())
        write_audio(self._folder / (name + self._suffix), waveform)


class OneFile:
    """One sound, in a file or on stdout; several are an error, or are put one after the other.

    It is written at the end, so that there is no file where there was an error.
    """

    def __init__(self, path: str, concat: bool) -> None:
        """Raises AudioError for a name that no sound can be written under."""
        from spiritlm_cli.audio.writing import check_target

        if path != "-":
            if not Path(path).suffix:
                raise AudioError(f"{path}: a sound needs a suffix, such as .wav; a folder is {path}/")
            check_target(path)
        self._path = path
        self._concat = concat
        self._waveforms: list[Waveform] = []

    def __enter__(self) -> "OneFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()

    def write(self, waveform: "Waveform", id: str) -> None:  # noqa: A002
        """Raises AudioError for a second sound where one was to be written."""
        if self._waveforms and not self._concat:
            raise AudioError("a second sequence for one file; use --concat, or -o FOLDER/ for a file an id")
        self._waveforms.append(waveform)

    def _finish(self) -> None:
        import numpy as np

        from spiritlm_cli.audio.clip import Waveform
        from spiritlm_cli.audio.writing import write_audio

        if not self._waveforms:
            raise AudioError(f"no line to decode: {self._path} is not written")
        whole = Waveform(np.concatenate([w.samples for w in self._waveforms]), self._waveforms[0].rate)
        if self._path == "-":
            write_audio(sys.stdout.buffer, whole, format="WAV")
        else:
            write_audio(Path(self._path), whole)
