"""The journal of an unfinished output: which run writes it, and how much of it is done.

`FILE.part.json` lies beside `FILE.part`. It holds the command, the settings and the seed of the run, and what is
finished: inputs, lines, bytes, failures. A resumed run continues from there, and drops what was written after it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from spiritlm_cli import __version__
from spiritlm_cli.errors import OptionError, ResumeError
from spiritlm_cli.options import settings, with_settings

Item = TypeVar("Item")
Options = TypeVar("Options")

# Seconds between two entries, so that a million short lines don't write a million journals.
_INTERVAL = 0.2


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


class Journal:
    """Keeps the journal of one output up to date."""

    def __init__(self, path: Path, command: str, recorded: dict[str, Any], done: Done = Done()) -> None:
        """path: of the journal; recorded: the settings of the run."""
        self.path = path
        self.done = done
        self._command, self._settings = command, recorded
        self._digest = hashlib.sha256()
        self._saved = 0.0

    @classmethod
    def load(cls, path: Path) -> "Journal":
        """Raises ResumeError if the file is not a journal of this version."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["version"] != 1:
                raise ValueError(f"version {content['version']}")
            return cls(path, content["command"], dict(content["settings"]), Done(**content["done"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ResumeError(
                f"{path}: not a journal that can be continued ({error}); remove it to begin again"
            ) from None

    def continued(self, command: str, options: Options, model: str | None) -> Options:
        """The options with the run's settings in place of defaults.

        model: identifies the checkpoint that the options name now. Raises ResumeError where the options contradict the
        run's.
        """
        if self._command != command:
            raise ResumeError(
                f"{self.path}: was begun by spiritlm {self._command}, not by spiritlm {command}"
            )
        if self._settings.get("checkpoint") != model:
            raise ResumeError(
                f"{self.path}: was begun with the checkpoint {self._settings.get('checkpoint')}, not with {model}"
            )
        try:
            continued: Options = with_settings(options, self._settings)
        except OptionError as error:
            raise ResumeError(
                f"{self.path}: {error.option} {error}; resume with the same options, or write to another file"
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
        if time.monotonic() - self._saved > _INTERVAL:
            self.save()

    def started(self, size: int) -> None:
        """Record how many bytes stand before the first input: those of a header."""
        self.done = replace(self.done, size=size)
        self.save()

    def save(self) -> None:
        """Write the journal, at once and whole."""
        content = {
            "version": 1,
            "spiritlm": __version__,
            "command": self._command,
            "settings": self._settings,
            "done": asdict(self.done),
        }
        temporary = self.path.with_name(self.path.name + ".new")
        temporary.write_text(json.dumps(content, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.path)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """The output is complete."""
        self.path.unlink(missing_ok=True)


def new_journal(path: Path, command: str, options: Any, model: str | None) -> Journal:
    """The journal of a run that begins. model: identifies the checkpoint."""
    return Journal(path, command, {**settings(options), "checkpoint": model})


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape") + b"\0"
