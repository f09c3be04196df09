"""What all jobs share: a journal, the order of the lines, failures, progress, and a summary."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import log, notify, one_line
from spiritlm_cli.errors import ResumeError, SpiritLMError
from spiritlm_cli.jobs.failures import Failures, Input, name_of
from spiritlm_cli.jobs.journal import Done, Journal, journal_of, new_journal, part_of
from spiritlm_cli.jobs.output import LineWriter, OutputLine, Result
from spiritlm_cli.jobs.progress import Progress

Item = TypeVar("Item", bound=Input)
Options = TypeVar("Options", bound="LineOptions")
Outcomes = Iterable[tuple[Item, Outcome[Result]]]


class LineOptions(Protocol):
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
    """The options a run goes by. journal: of the run that it continues; complete: the output is there already."""

    options: Options
    journal: Journal | None
    complete: bool


def settle(command: str, options: Options, checkpoint: str | None) -> Settled[Options]:
    """Find out whether there is a run to continue, and take over its settings.

    checkpoint: identifies the checkpoint. A finished output is left alone. Raises ResumeError if the options contradict
    those of the run.
    """
    if not options.resume or options.output is None:
        return Settled(options, None, complete=False)
    path = Path(options.output).resolve()
    if journal_of(path).is_file():
        journal = Journal.load(journal_of(path))
        return Settled(journal.continued(command, options, checkpoint), journal, complete=False)
    if part_of(path).exists():
        raise ResumeError(f"{part_of(path)}: has no journal beside it; remove it to begin again")
    if path.is_file():
        notify(f"spiritlm: {one_line(str(path))}: is complete, and left as it is; remove it to run again")
    return Settled(options, None, path.is_file())


class Run:
    """Writes the results of a job, input by input, so that it can be interrupted at any time and continued."""

    def __init__(
        self,
        command: str,
        settled: Settled[Any],
        checkpoint: str | None,
        *,
        ids: bool | None = None,
        what: str = "clips",
        total: Callable[[], int | None] = lambda: None,
    ) -> None:
        """ids: as `LineWriter` has it; what: the inputs, in the plural; total: counts them, for a progress bar."""
        options: LineOptions = settled.options
        self._journal = settled.journal
        output = None if options.output is None else Path(options.output)
        if self._journal is None and output is not None and str(output) != "-" and _is_regular(output):
            path = output.resolve()
            self._journal = new_journal(journal_of(path), command, options, checkpoint)
        done = self._journal.done if self._journal else Done()
        self.resumed = done.inputs > 0 or done.size > 0
        self.inputs = done.inputs
        self.writer = LineWriter(output, ids, done.size, done.lines)
        self.failures = Failures(options.on_error, options.errors, done.failed, done.errors_size)
        self.progress = Progress(what, total() if Progress.shown() else None, done.inputs)
        self._stack = ExitStack()

    def __enter__(self) -> "Run":
        # The writer first: it locks the output, so that nothing is touched of what another run writes.
        for part in (self.writer, self.failures, self.progress):
            self._stack.enter_context(part)
        if self._journal and not self.resumed:
            self._journal.save()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal and kind is not None and self.writer.size:
            self._journal.save()
        self._stack.__exit__(kind, error, trace)
        if self._journal and (kind is None or not self.writer.size):
            self._journal.remove()

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
                self._journal.started(self.writer.size)

    def write(self, item: Input, lines: Iterable[OutputLine]) -> None:
        """Write the lines of an input, which is done with it. Raises TokenError for an id that a line can't hold."""
        count = 0
        for line in lines:
            self.writer.write(line)
            count += 1
        self.done(item, count)

    def done(self, item: Input, lines: int) -> None:
        """Record an input as done. lines: how many it has in the output."""
        self.inputs += 1
        if self._journal:
            self._journal.add(name_of(item), lines, self.writer.size, self.failures.count, self.failures.size)

    def write_all(self, outcomes: Outcomes[Item], empty: Callable[[Item], Iterable[OutputLine]]) -> None:
        """Write the result of each input, in order. empty: the lines of one that can't be used."""
        with ExitStack() as stack:
            if hasattr(outcomes, "close"):
                stack.enter_context(closing(outcomes))  # type: ignore[type-var]
            for item, outcome in outcomes:
                failed = False
                try:
                    result = outcome.result()
                    warn(result.warnings)
                    if result.report:
                        print(result.report, end="", file=sys.stderr, flush=True)
                    self.write(item, result.lines)
                    self.progress.heard(result.seconds)
                except SpiritLMError as error:
                    self.failures.add(item, error)
                    self.write(item, empty(item))
                    failed = True
                self.progress.done(failed=failed)


def warn(warnings: Iterable[str]) -> None:
    """Show warnings to people."""
    for warning in warnings:
        log.warning("%s", one_line(warning))


def _is_regular(path: Path) -> bool:
    return not path.exists() or path.is_file()
