"""Clips and token lines to tables, statistics, plots, an HTML page and TextGrids."""

from contextlib import ExitStack, closing

from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.inspection.inspected import Inspected
from spiritlm_cli.inspection.plots import check_plot_length
from spiritlm_cli.jobs.failures import Failures
from spiritlm_cli.jobs.inspect_inputs import Item, inspect_inputs, new_inspector
from spiritlm_cli.jobs.inspect_views import View, views_of
from spiritlm_cli.jobs.options.inspect import InspectOptions
from spiritlm_cli.jobs.output import data_only
from spiritlm_cli.jobs.progress import Progress
from spiritlm_cli.jobs.run import Summary

__all__ = ["InspectOptions", "run"]


def run(options: InspectOptions) -> Summary:
    """Show clips and token lines. Returns how many, and how many could not be used.

    Raises OptionError, SpiritLMError for what ends the run, and with `on_error="fail"` the error of the first input
    that can't be used.
    """
    options.check()
    count = 0
    with ExitStack() as stack:
        failures = stack.enter_context(Failures(options.on_error, options.errors))
        views = views_of(options)
        for view in views:
            stack.enter_context(view)
        output = options.html or options.plot or options.textgrid
        progress = stack.enter_context(Progress("inputs", output=output, lines=not options.stats))
        stack.enter_context(data_only())
        inspector = new_inspector(
            options, keep_repeats=options.keep_repeats, sounds=options.sounds, speaker=options.speaker
        )
        check = check_plot_length if options.plot and not options.stats else None
        inputs = stack.enter_context(closing(inspect_inputs(options, inspector, options.has_words, check)))
        for item, outcome in inputs:
            failed = not _show(item, outcome, views, failures)
            progress.advance(failed)
            count += 1
    return Summary(count, failures.count)


def _show(item: Item, outcome: Outcome[Inspected], views: list[View], failures: Failures) -> bool:
    """Give an input to all views. Returns whether it could be used."""
    try:
        inspected = outcome.result()
        for view in views:
            view.add(inspected)
    except SpiritLMError as error:
        failures.add(item, error)
        return False
    return True
