"""Inputs that can't be used: the first ends the run, or each costs its own line."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

from spiritlm_cli.console import log, one_line
from spiritlm_cli.errors import SpiritLMError, drop_frames
from spiritlm_cli.files import naming
from spiritlm_cli.jobs.lines import InputLine
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.streams import is_written_through, open_through


class Identified(Protocol):
    """Any other input, such as an item of a benchmark: it has an id and the file it is from."""

    @property
    def id(self) -> str: ...
    @property
    def source(self) -> Path | str: ...


Input = Clip | BadClip | InputLine | Identified


def name_of(item: Input) -> str:
    """The name of an input in messages and in the errors file."""
    return item.name if isinstance(item, InputLine) else item.id


def reason_of(item: Input, error: SpiritLMError) -> str:
    """An error's message that names the file of its input."""
    if isinstance(item, InputLine):
        return item.reason(error)
    source = "stdin" if item.source == "-" else str(item.source)
    named = str(error).startswith((f"{source}:", f"{item.id}:"))
    return str(error) if named else f"{source}: {error}"


class Failures:
    """Reports inputs that can't be used: on stderr, in the errors file, and by their count."""

    def __init__(
        self, on_error: str = "fail", path: Path | None = None, count: int = 0, kept: int = 0
    ) -> None:
        """path: the errors file. count: failures of the run that this one continues; kept: bytes that it wrote."""
        self._skip = on_error == "skip"
        self._path, self._kept = path, kept
        self._file: BinaryIO | None = None
        self.count = count
        self.size = kept

    def __enter__(self) -> "Failures":
        if self._path:
            if is_written_through(self._path):
                self._file = open_through(self._path)
            else:
                self._file = self._path.open("r+b" if self._kept and self._path.is_file() else "wb")
                self._file.truncate(min(self._kept, self._path.stat().st_size))
                self.size = self._file.seek(0, 2)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, item: Input, error: SpiritLMError) -> None:
        """Report an input. Raises the error, with the input's name, if the run is to end there."""
        reason = reason_of(item, error)
        if not self._skip:
            raise type(error)(reason) from error
        self.report(name_of(item), reason)
        drop_frames(error)

    def report(self, name: str, reason: str) -> None:
        """Report a failure by the name of its input."""
        self.count += 1
        reason = one_line(reason)
        log.error("%s", reason if reason.startswith(f"{name}:") else f"{name}: {reason}")
        if self._file and self._path:
            row = f"{name}\t{reason}\n".encode("utf-8", "surrogateescape")
            with naming(self._path):
                self._file.write(row)
                self._file.flush()
            self.size += len(row)
