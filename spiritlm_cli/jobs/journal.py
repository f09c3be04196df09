"""The journal of an unfinished output: which run writes it, and how much of it is done.

`FILE.part.json` lies beside `FILE.part`. It holds the command, the settings and the seed of the run, and what is
finished: inputs, lines, bytes, failures. A resumed run continues from there, and drops what was written after it.
"""

import errno
import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from spiritlm_cli import __version__
from spiritlm_cli.errors import OptionError, ResumeError
from spiritlm_cli.files import write_text
from spiritlm_cli.jobs.options.shared import ModelOptions
from spiritlm_cli.options import settings, with_settings

Item = TypeVar("Item")

# Seconds between two entries, so that a million short lines don't write a million journals.
_INTERVAL = 0.2
# The share of the time that saving it may take, on a slow disk.
_SHARE = 0.02


class JobOptions(Protocol):
    """The dataclass of a job's options."""

    def check(self) -> None:
        """Raise OptionError for options that can't be combined."""
        ...


Options = TypeVar("Options", bound=JobOptions)


def part_of(path: Path) -> Path:
    """Where an output is written until it is complete."""
    return path.with_name(path.name + ".part")


def journal_of(path: Path) -> Path:
    """The journal of an output; that of a folder lies in the folder."""
    return path / ".part.json" if path.is_dir() else path.with_name(path.name + ".part.json")


@dataclass(frozen=True)
class Done:
    """How much of an output is finished.

    inputs: inputs that are written, bad ones too; digest: SHA-256 of their names, in order; lines: output lines without
    the header; size: bytes; failed: inputs that could not be used; errors_size: bytes of the errors file.
    """

    inputs: int = 0
    digest: str = hashlib.sha256().hexdigest()
    lines: int = 0
    size: int = 0
    failed: int = 0
    errors_size: int = 0

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Done":
        """Read it from a journal. Raises ValueError for a missing, unknown or wrong value."""
        names = {field.name for field in fields(cls)}
        counts = [value for name, value in content.items() if name != "digest"]
        if content.keys() != names or not isinstance(content["digest"], str):
            raise ValueError(f"done has not the keys {', '.join(sorted(names))}")
        if not all(type(count) is int and count >= 0 for count in counts):
            raise ValueError("done has a value that is no count")
        return cls(**content)


class Journal:
    """Keeps the journal of one output up to date."""

    def __init__(
        self,
        path: Path,
        command: str,
        recorded: Mapping[str, Any],
        checkpoint: str | None,
        done: Done = Done(),
    ) -> None:
        """path: of the journal; recorded: the settings of the run; checkpoint: what identifies its checkpoint."""
        self.path = path
        self.done = done
        self._command, self._settings, self._checkpoint = command, recorded, checkpoint
        self._digest = hashlib.sha256()
        self._saved = 0.0
        self._interval = _INTERVAL

    @classmethod
    def load(cls, path: Path) -> "Journal":
        """Raises ResumeError if the file is not a journal of this version, OSError if it can't be read."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["version"] != 1:
                raise ValueError(f"version {content['version']}")
            command, recorded, checkpoint = content["command"], content["settings"], content["checkpoint"]
            if not (isinstance(recorded, dict) and isinstance(checkpoint, str | None)):
                raise ValueError("settings or checkpoint of another type")
            return cls(path, command, recorded, checkpoint, Done.of(content["done"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ResumeError(
                f"{path}: not a journal that can be continued ({error}); remove it to begin again"
            ) from None

    def is_continued(self) -> bool:
        """Whether the journal on the disk, if there is one, is of a run with these settings."""
        if not self.path.is_file():
            return True
        other = Journal.load(self.path)
        mine = (self._command, self._checkpoint, self._settings)
        return mine == (other._command, other._checkpoint, other._settings)

    def restore(self, command: str, options: Options) -> Options:
        """The options with the run's settings, and its checkpoint, in place of defaults.

        Raises ResumeError where the options contradict the run's, CheckpointError for a checkpoint that is not there.
        """
        if self._command != command:
            raise ResumeError(
                f"{self.path}: was begun by spiritlm {self._command}, not by spiritlm {command}"
            )
        if isinstance(options, ModelOptions) and options.model is None:
            options = replace(options, model=self._checkpoint)
        checkpoint = checkpoint_of(options)
        if checkpoint != self._checkpoint:
            raise ResumeError(
                f"{self.path}: was begun with the checkpoint {self._checkpoint}, not with {checkpoint}"
            )
        try:
            continued: Options = with_settings(options, self._settings)
            continued.check()
        except OptionError as error:
            message = f"{error.option} {error}" if error.option else str(error)
            raise ResumeError(
                f"{self.path}: {message}; resume with the same options, or write to another file"
            ) from None
        return continued

    def remaining(self, items: Iterable[Item], name: Callable[[Item], str]) -> Iterator[Item]:
        """The inputs after those that are done.

        Raises ResumeError if the first inputs are not those that are done.
        """
        iterator = iter(items)
        digest = hashlib.sha256()
        for count in range(self.done.inputs):
            item = next(iterator, None)
            if item is None:
                raise ResumeError(
                    f"{self.path}: {self.done.inputs} inputs are done, but now there are {count}"
                )
            digest.update(_encoded(name(item)))
        if digest.hexdigest() != self.done.digest:
            raise ResumeError(
                f"{self.path}: the first {self.done.inputs} inputs are not those that are done; resume with the same "
                "inputs, or write to another file"
            )
        self._digest = digest
        yield from iterator

    def add(self, name: str, lines: int, size: int, failed: int, errors_size: int) -> None:
        """Record one input more as done. size, failed, errors_size: totals after it."""
        self._digest.update(_encoded(name))
        self.done = Done(
            self.done.inputs + 1, self._digest.hexdigest(), self.done.lines + lines, size, failed, errors_size
        )

    @property
    def is_due(self) -> bool:
        """Whether it is time to save it again."""
        return time.monotonic() - self._saved > self._interval

    def begin(self, size: int) -> None:
        """Record the size of what is written before the first input: a header, in bytes."""
        self.done = replace(self.done, size=size)
        self.save()

    def save(self, sync: Callable[[], None] = lambda: None) -> None:
        """Replace the journal atomically. sync: waits until what the journal says is written is on the disk.

        Raises OSError if it can't be written, and for a link in its place.
        """
        content = {
            "version": 1,
            "spiritlm": __version__,
            "command": self._command,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "checkpoint": self._checkpoint,
            "settings": self._settings,
            "done": asdict(self.done),
        }
        if self.path.is_symlink():
            raise OSError(errno.ELOOP, "is a link, not a file; remove it", str(self.path))
        began = time.monotonic()
        sync()
        write_text(self.path, json.dumps(content, ensure_ascii=True, indent=1) + "\n")
        self._saved = time.monotonic()
        self._interval = max(_INTERVAL, (self._saved - began) / _SHARE)

    def remove(self) -> None:
        """The output is complete."""
        self.path.unlink(missing_ok=True)


def new_journal(path: Path, command: str, options: JobOptions, *, inputs: bool = True) -> Journal:
    """The journal of a run that begins. inputs: whether a run that continues it must have the same inputs."""
    return Journal(path, command, settings(options, inputs=inputs), checkpoint_of(options))


def running(path: Path) -> str:
    """The run that writes the output of a journal, in words."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return f"another run (process {int(content['process'])} on {content['host']})"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another run"


def checkpoint_of(options: JobOptions) -> str | None:
    """What identifies the checkpoint that options name; None for a job without one. Raises CheckpointError."""
    return options.checkpoint.identity if isinstance(options, ModelOptions) else None


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape") + b"\0"
