"""`spiritlm inspect`: what is in tokens."""

import typer

from spiritlm_cli.cli import general
from spiritlm_cli.cli.command import command
from spiritlm_cli.cli.commands.inspect_batch import batch
from spiritlm_cli.cli.commands.inspect_diff import diff
from spiritlm_cli.cli.commands.inspect_unit import unit
from spiritlm_cli.cli.imports import importing
from spiritlm_cli.jobs.options import InspectOptions

inspect = typer.Typer(name="inspect", cls=general.DefaultGroup, rich_markup_mode=None)


@inspect.callback()
def about() -> None:
    """Show the tokens of audio or of token lines: tables, plots, a page with sound, differences.

    \b
    Examples:
      spiritlm inspect in.wav
      spiritlm inspect in.wav --html page.html --plot units.png --textgrid in.TextGrid
      spiritlm tokenize corpus/ | spiritlm inspect --stats
      spiritlm inspect --manifest clips.tsv --json
      spiritlm inspect diff in.wav noisy.wav
    """


@inspect.command(cls=general.Command)
@command(InspectOptions)
def show(options: InspectOptions) -> object:
    """Show clips and token lines (the command that is run if none is named).

    Without --stats, --plot, --html, --textgrid or --json: a table and the tokens of each input.

    \b
    Examples:
      spiritlm inspect in.wav
      spiritlm inspect tokens.txt --html page.html
    """
    with importing():
        from spiritlm_cli.jobs.inspect import run

    return run(options)


inspect.command(cls=general.ComparingCommand)(diff)
inspect.command(cls=general.Command)(unit)
inspect.command(cls=general.ComparingCommand)(batch)
