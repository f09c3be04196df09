"""Differences of two sets of clips or token lines: `inspect diff`."""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from rich.console import Console

from spiritlm_cli.batching import Outcome
from spiritlm_cli.console import data_console
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.files import naming
from spiritlm_cli.inspection.diff_rendering import (
    DiffReport,
    print_confusions,
    print_line_diff,
    print_missing,
)
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.inspector import Inspector
from spiritlm_cli.inspection.page import Page
from spiritlm_cli.inspection.unit_diff import DiffTotals, LineDiff, diff_inspected
from spiritlm_cli.jobs.failures import Failures, name_of
from spiritlm_cli.jobs.inspect_inputs import Item, inspect_inputs, new_inspector
from spiritlm_cli.jobs.options.inspect import InputOptions
from spiritlm_cli.jobs.options.inspect_diff import InspectDiffOptions
from spiritlm_cli.jobs.output import LineWriter, data_only
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.jobs.run import Summary

__all__ = ["Comparison", "InspectDiffOptions", "run"]

# An input that could be read, and what it is.
Input = tuple[Item, Inspected]


@dataclass(frozen=True)
class Comparison(Summary):
    """What was compared, and the result."""

    totals: DiffTotals = field(default_factory=DiffTotals)

    @property
    def report(self) -> DiffReport:
        """The result, as a table or JSON."""
        return DiffReport(self.totals)


def run(options: InspectDiffOptions) -> Comparison:
    """Compare two sets of clips or token lines, and print what differs.

    Raises OptionError, and SpiritLMError for the first input that can't be used.
    """
    options.check()
    totals = DiffTotals()
    with ExitStack() as stack:
        view = _View(options, data_console())
        items = stack.enter_context(LineWriter(options.items)) if options.items else None
        page = stack.enter_context(Page(options.html)) if options.html else None
        progress = stack.enter_context(Progress("lines", lines=not (options.brief or options.as_json)))
        stack.enter_context(data_only())
        sides = [
            _results(stack.enter_context(closing(inspect_inputs(side, inspector))))
            for side, inspector in _sides(options)
        ]
        for a, b in pairs(*sides):
            if a and b:
                diff = diff_inspected(a[1], b[1])
                totals.add(diff)
                view.show(diff)
                if page and not diff.equal:
                    page.add_diff(diff)
                if items:
                    items.write_text(json.dumps(diff.to_json(), ensure_ascii=False))
            elif a or b:
                totals.only_a += a is not None
                totals.only_b += b is not None
                view.show_missing(a, b)
            progress.advance()
    view.finish(totals)
    return Comparison(totals.lines + totals.only_a + totals.only_b, totals=totals)


def _sides(options: InspectDiffOptions) -> list[tuple[InputOptions, Inspector]]:
    """Both sides, each with its inspector: one for both, if only their inputs differ."""
    a, b = options.side_a, options.side_b
    inspector = new_inspector(a, keep_repeats=True, sounds=options.html is not None)
    same = replace(b, inputs=a.inputs, manifest=a.manifest) == a
    return [
        (a, inspector),
        (b, inspector if same else new_inspector(b, keep_repeats=True, sounds=inspector.sounds)),
    ]


def _results(inputs: Iterable[tuple[Item, Outcome[Inspected]]]) -> Iterator[Input]:
    """Yield inputs. Raises the error of the first that can't be used, with its name."""
    for item, outcome in inputs:
        try:
            yield item, outcome.result()
        except SpiritLMError as error:
            Failures().add(item, error)


def pairs(a: Iterator[Input], b: Iterator[Input]) -> Iterator[tuple[Input | None, Input | None]]:
    """Pair the inputs of two sides: by id if the first of both have ids, else by their order.

    Two sides of one input each are a pair, whatever their ids are. What one side lacks is None. Inputs are yielded when
    both are known, or at the end; inputs that stand in the same order on both sides are not kept.
    """
    first_a, first_b = list(islice(a, 2)), list(islice(b, 2))
    single = len(first_a) == len(first_b) == 1
    named = all(side and side[0][0].id is not None for side in (first_a, first_b))
    a, b = chain(first_a, a), chain(first_b, b)
    # Those that the other side lacks so far, by name. Ids need not be unique.
    waiting: tuple[dict[str, deque[Input]], dict[str, deque[Input]]] = ({}, {})
    index = 0
    while (new := (next(a, None), next(b, None))) != (None, None):
        index += 1
        for side, given in enumerate(new):
            if given is None:
                continue
            name = name_of(given[0]) if named and not single else str(index)
            others = waiting[1 - side].get(name)
            if not others:
                waiting[side].setdefault(name, deque()).append(given)
                continue
            other = others.popleft()
            if not others:
                del waiting[1 - side][name]
            yield (other, given) if side else (given, other)
    yield from ((given, None) for kept in waiting[0].values() for given in kept)
    yield from ((None, given) for kept in waiting[1].values() for given in kept)


class _View:
    """Prints differences on stdout as they are found."""

    def __init__(self, options: InspectDiffOptions, console: Console) -> None:
        """console: of the stdout that data goes to."""
        self._options, self._console = options, console
        self._prints = not (options.brief or options.as_json)

    def show(self, diff: LineDiff) -> None:
        if self._prints:
            with naming("stdout"):
                print_line_diff(diff, self._console, self._options.context)
                self._console.file.flush()

    def show_missing(self, a: Input | None, b: Input | None) -> None:
        if self._prints:
            with naming("stdout"):
                if a:
                    print_missing(name_of(a[0]), "A", self._console)
                if b:
                    print_missing(name_of(b[0]), "B", self._console)

    def finish(self, totals: DiffTotals) -> None:
        """Print which units replace each other, above the table of the totals."""
        if self._prints:
            with naming("stdout"):
                print_confusions(totals, self._console)
