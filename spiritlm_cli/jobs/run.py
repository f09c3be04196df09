"""What all jobs share: a journal, the order of the lines, failures, progress, and a summary."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import is_quiet, log, notify
from spiritlm_cli.errors import ResumeError, SpiritLMError
from spiritlm_cli.jobs.failures import Failures, Input, name_of
from spiritlm_cli.jobs.journal import Done, JobOptions, Journal, journal_of, new_journal, part_of
from spiritlm_cli.jobs.output import LineWriter, OutputLine, Result
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.signals import on_signal
from spiritlm_cli.streams import is_stdout

Item = TypeVar("Item", bound=Input)
Options = TypeVar("Options", bound="LineOptions")
Outcomes = Iterable[tuple[Item, Outcome[Result]]]


class LineOptions(JobOptions, Protocol):
    """The options that `Run` needs; an output may be a path or its text."""

    @property
    def output(self) -> Path | str | None: ...
    @property
    def resume(self) -> bool: ...
    @property
    def on_error(self) -> str: ...
    @property
    def errors(self) -> Path | None: ...


@dataclass(frozen=True)
class Summary:
    """What a job did. inputs: inputs processed, by an interrupted run before too; failed: those that can't be used."""

    inputs: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Settled(Generic[Options]):
    """What a run goes by.

    command: the job's name in the journal; options: with the settings of the run that is continued; journal: of that
    run, None for a run that begins; complete: the output is there already.
    """

    command: str
    options: Options
    journal: Journal | None = None
    complete: bool = False


def settle(command: str, options: Options) -> Settled[Options]:
    """Find out whether there is a run to continue, and take over its settings.

    A finished output is left alone. Raises ResumeError if the options contradict those of the run, or if `FILE.part` or
    its journal is missing.
    """
    if not options.resume or options.output is None:
        _warn_of_interrupted_run(options)
        return Settled(command, options)
    path = Path(options.output).resolve()
    part, journal = part_of(path), None
    if journal_of(path).is_file():
        journal = Journal.load(journal_of(path))
    if part.exists():
        if journal:
            return Settled(command, journal.restore(command, options), journal)
        if part.stat().st_size:
            raise ResumeError(f"{part}: has no journal beside it; remove it to begin again")
        return Settled(command, options)
    # A run that is killed after it renamed its file leaves the journal.
    if path.is_file() and (journal is None or path.stat().st_size == journal.done.size):
        if journal:
            journal.remove()
        notify(f"{path}: is complete, and left as it is; remove it to run again")
        return Settled(command, options, complete=True)
    if journal and journal.done.size:
        raise ResumeError(f"{part}: is missing, but not its journal; remove {journal.path} to begin again")
    return Settled(command, options)


def _warn_of_interrupted_run(options: LineOptions) -> None:
    """Say that the run begins again, if there is an interrupted one that --resume would continue."""
    if options.output is None:
        return
    path = Path(options.output).resolve()
    if not (journal_of(path).is_file() and part_of(path).is_file()):
        return
    try:
        done = Journal.load(journal_of(path)).done.inputs
    except ResumeError:
        return
    if done:
        log.warning(
            "%s: what an interrupted run wrote of %d inputs is replaced; --resume would have continued it",
            part_of(path),
            done,
        )


class Run:
    """Writes the results of a job, input by input, so that it can be interrupted at any time and continued."""

    def __init__(
        self,
        settled: Settled[Any],
        *,
        ids: bool | None = None,
        what: str = "clips",
        total: Callable[[], int | None] = lambda: None,
        to_stdout: bool = True,
    ) -> None:
        """ids: as `LineWriter` has it; what: the inputs, in the plural; total: counts them, for a progress bar.

        to_stdout: lines go to stdout if no output is named; otherwise they are discarded.
        """
        options: LineOptions = settled.options
        self._options, self._what = settled.options, what
        self._journal = settled.journal
        output = None if options.output is None else Path(options.output)
        if self._journal is None and output is not None and not is_stdout(output) and _is_regular(output):
            self._journal = new_journal(journal_of(output.resolve()), settled.command, options)
        done = self._journal.done if self._journal else Done()
        self.resumed = done.inputs > 0 or done.size > 0
        self.inputs = done.inputs
        discarded = output is None and not to_stdout
        self.writer = LineWriter(
            Path(os.devnull) if discarded else output, ids, done.size, done.lines, self._begin
        )
        self.failures = Failures(options.on_error, options.errors, done.failed, done.errors_size)
        self.progress = Progress(what, total() if Progress.shown() else None, done.inputs, output, to_stdout)
        self._stack = ExitStack()
        self._begun = False

    def __enter__(self) -> "Run":
        with ExitStack() as stack:
            stack.push(self._end)  # last
            # The writer first: it locks the output, so that nothing is touched of what another run writes.
            for part in (on_signal(self._keep), self.writer, self.failures, self.progress):
                stack.enter_context(part)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._journal and self.writer.size:
                self._journal.save(self.writer.sync)
        finally:
            self._stack.__exit__(kind, error, trace)

    def _begin(self) -> None:
        """Write the journal, when the output is locked and before it changes."""
        self._begun = True
        if self._journal and not self.resumed:
            self._journal.save()

    def _end(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the journal, unless there is an unfinished output."""
        if self._journal and self._begun and (kind is None or not self.writer.size):
            self._journal.remove()

    def _keep(self) -> str | None:
        """What `__exit__` does after an error, when a signal ends the process. Returns what is kept, in words."""
        if not self._begun:
            return None
        self.writer.discard_empty()
        if not self._journal:
            return None
        if not self.writer.size:
            self._journal.remove()
            return None
        self._journal.save()
        replace(self._options, resume=True).check()  # not all formats can be continued
        if is_quiet() or not self.inputs:
            return None
        return f"stopped: {self.inputs} {self._what} are done; the same command with --resume does the others"

    @property
    def summary(self) -> Summary:
        """What has been done so far."""
        return Summary(self.inputs, self.failures.count)

    def remaining(self, items: Iterable[Item]) -> Iterator[Item]:
        """The inputs that are not done yet. Raises ResumeError if those before them have changed."""
        return self._journal.remaining(items, name_of) if self._journal else iter(items)

    def write_header(self, header: str) -> None:
        """Write the line before all others, unless the continued run has."""
        if not self.resumed:
            self.writer.write_text(header)
            if self._journal:
                self._journal.begin(self.writer.size)

    def write(self, item: Input, lines: Iterable[OutputLine]) -> None:
        """Write the lines of an input, which is done with it. Raises TokenError for an id that a line can't hold."""
        count = 0
        for line in lines:
            self.writer.write(line)
            count += 1
        self.finish_input(item, count)

    def finish_input(self, item: Input, lines: int) -> None:
        """Record an input as done. lines: how many it has in the output."""
        self.inputs += 1
        if self._journal:
            self._journal.add(name_of(item), lines, self.writer.size, self.failures.count, self.failures.size)
            if self._journal.is_due:
                self._journal.save(self.writer.sync)

    def write_all(
        self,
        outcomes: Outcomes[Item],
        empty: Callable[[Item], Iterable[OutputLine]],
        is_unused: Callable[[Item], bool] = lambda item: False,
    ) -> None:
        """Write the result of each input, in order.

        empty: the lines of one that can't be used; is_unused: whether an earlier command could not use it.
        """
        with ExitStack() as stack:
            if hasattr(outcomes, "close"):
                stack.enter_context(closing(outcomes))  # type: ignore[type-var]
            for item, outcome in outcomes:
                failed = False
                if is_unused(item):
                    self.write(item, empty(item))
                    self.progress.advance(empty=True)
                    continue
                try:
                    result = outcome.result()
                    warn(result.warnings)
                    if result.report:
                        print(result.report, end="", file=sys.stderr, flush=True)
                    self.write(item, result.lines)
                    self.progress.add_seconds(result.seconds)
                except SpiritLMError as error:
                    self.failures.add(item, error)
                    self.write(item, empty(item))
                    failed = True
                self.progress.advance(failed=failed)


def warn(warnings: Iterable[str]) -> None:
    """Show warnings to people."""
    for warning in warnings:
        log.warning("%s", warning)


def _is_regular(path: Path) -> bool:
    return not path.exists() or path.is_file()
