"""A folder as output: a file for each input, under its final name only when complete."""

import fcntl
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

from spiritlm_cli.console import is_quiet
from spiritlm_cli.errors import ResumeError, SpiritLMError
from spiritlm_cli.files import lock_file, remove_leftovers
from spiritlm_cli.jobs.journal import JobOptions, Journal, journal_of, new_journal, running
from spiritlm_cli.jobs.options.paths import FileKey, file_key, input_keys
from spiritlm_cli.manifests.filenames import filename_for
from spiritlm_cli.signals import on_signal


class FolderOptions(JobOptions, Protocol):
    """The options that `OutputFolder` needs."""

    @property
    def resume(self) -> bool: ...


Options = TypeVar("Options", bound=FolderOptions)


class OutputFolder:
    """Which files of a folder an interrupted run has written, and which this run writes.

    The journal `.part.json` in the folder holds the settings of an unfinished run, without its inputs: parts of a
    manifest may be written to one folder. What is done is what has a file.
    """

    def __init__(
        self,
        folder: Path,
        suffix: str,
        journal: Journal | None,
        resume: bool,
        inputs: frozenset[FileKey] = frozenset(),
    ) -> None:
        """suffix: of the files; resume: leave files that are there already; inputs: files that are not replaced."""
        self._inputs = inputs
        self._folder, self._suffix, self._journal, self._resume = folder, suffix, journal, resume
        self._names: set[str] = set()

    @classmethod
    def open(
        cls, command: str, options: Options, folder: Path, suffix: str
    ) -> tuple["OutputFolder", Options]:
        """The folder, and the options with the settings of the run that is continued. Makes the folder.

        Raises ResumeError if the options contradict those settings.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = journal_of(folder)
        if options.resume and path.is_file():
            options = Journal.load(path).restore(command, options)
        journal = new_journal(path, command, options, inputs=False)
        return cls(folder, suffix, journal, options.resume, input_keys(options)), options

    def __enter__(self) -> "OutputFolder":
        with ExitStack() as stack:
            stack.enter_context(on_signal(self._kept))
            self._lock(stack)
            remove_leftovers(self._folder)
            if self._journal:
                self._journal.save()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            # The last of the runs that write to the folder removes it.
            if self._journal and kind is None and lock_file(self._descriptor):
                self._journal.remove()

    def _lock(self, stack: ExitStack) -> None:
        """Raise ResumeError if another command, or a run with other settings, writes to the folder."""
        self._descriptor = descriptor = os.open(self._folder, os.O_RDONLY)
        stack.callback(os.close, descriptor)
        if not lock_file(descriptor) and self._journal and not self._journal.is_continued():
            raise ResumeError(
                f"{self._folder}: {running(self._journal.path)} is writing to it with other options"
            )
        with suppress(OSError):  # other runs with these settings may write to it too
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def _kept(self) -> str | None:
        """What is kept when a signal ends the process, in words."""
        if is_quiet() or not self._names:
            return None
        return f"stopped: the files in {self._folder} are complete; the same command with --resume makes the others"

    def path(self, id: str) -> Path:  # noqa: A002
        """Where the file of an id is."""
        return self._folder / (filename_for(id) + self._suffix)

    def has(self, id: str) -> bool:  # noqa: A002
        """Whether an interrupted run has written an id's file; asked once for each id."""
        path = self.path(id)
        name = path.name.casefold()
        try:
            # In this order: a file that this run has just written has its name in the set.
            is_written = self._resume and path.is_file() and name not in self._names
        except OSError:  # a name that is too long; writing it reports that
            return False
        if not is_written:
            return False
        self._names.add(name)
        return True

    def claim(self, id: str, error: type[SpiritLMError]) -> Path:  # noqa: A002
        """The file to write for an id.

        Raises `error` for an id whose file is written, also in other case, and for one whose file is an input.
        """
        path = self.path(id)
        if self._inputs and file_key(path) in self._inputs:
            raise error(f"{path} is an input, and is not replaced")
        if path.name.casefold() in self._names:
            raise error(f"{path.name} is already written for another input of that id")
        self._names.add(path.name.casefold())
        return path
