"""The options that every command has: --quiet, --verbose, --debug, --version."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from spiritlm_cli import __version__, console


def _quiet(value: bool) -> None:
    if value:
        console.set_quiet()


def _verbose(value: bool) -> None:
    if value:
        console.set_verbose()


def _debug(context: typer.Context, value: bool) -> None:
    if value:
        context.meta["spiritlm.debug"] = True


def _version(value: bool) -> None:
    if value:
        typer.echo(f"spiritlm {__version__}")
        raise typer.Exit()


def _general(
    quiet: Annotated[
        bool,
        typer.Option(
            "-q",
            "--quiet",
            callback=_quiet,
            expose_value=False,
            help="Print errors only, no warnings or progress.",
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            callback=_verbose,
            expose_value=False,
            help="Print what is being done, such as the seed in use.",
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", callback=_debug, expose_value=False, help="Print the traceback of an error."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, expose_value=False, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of every command; typer makes their parser objects from this signature."""


def _general_options() -> list[Any]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(_general)
    return typer.main.get_command(app).params


class Command(TyperCommand):
    """A command that has the general options too, after its own."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or []), *_general_options()], **kwargs)


class Group(TyperGroup):
    """A group of commands; it takes the general options too."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or []), *_general_options()], **kwargs)
