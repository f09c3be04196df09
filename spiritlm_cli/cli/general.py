"""The options that every command has: --quiet, --verbose, --debug, --version."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from spiritlm_cli import __version__, console
from spiritlm_cli.cli import help as layout


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


def general_options() -> list[Any]:
    """The parser objects of the options that every command has."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(_general)
    return typer.main.get_command(app).params


def first_sentence(text: str | None) -> str:
    """The first paragraph of a help text, as one line."""
    return " ".join((text or "").strip().partition("\n\n")[0].split())


# fish takes each line for a candidate, and typer wraps a description at 80 columns.
_DESCRIPTION = 60


def described(items: list[Any]) -> list[Any]:
    """Shell completions, each with a description of one short line."""
    for item in items:
        text = (item.help or "").partition(". ")[0].partition("  [")[0]
        item.help = text if len(text) <= _DESCRIPTION else f"{text[: _DESCRIPTION - 1].rstrip()}…"
    return items


class Command(TyperCommand):
    """A command that has the general options too, after its own."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or []), *general_options()], **kwargs)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line."""
        return layout.usage_pieces(self)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return what a shell can complete the last word to."""
        return described(super().shell_complete(ctx, incomplete))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options in their groups."""
        layout.write_options(self, ctx, formatter)

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the summary; it is never cut."""
        return first_sentence(self.help)


# The exit status of an error, in the `meta` of a context; 1 where there is none.
ERROR_STATUS = "spiritlm.error_status"


class ComparingCommand(Command):
    """A command whose exit status is that of `diff`: 0 if all is equal, 1 if there are differences, 2 for an error."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        ctx.meta[ERROR_STATUS] = 2
        return super().invoke(ctx)


def comparison_status(equal: bool, failed: int) -> int:
    """The exit status of a comparison. failed: number of inputs that could not be compared."""
    return 2 if failed else int(not equal)


class Group(TyperGroup):
    """A group of commands; it takes the general options too."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or []), *general_options()], **kwargs)

    def summaries(self) -> dict[str, str]:
        """The first sentence of each subcommand's help, by name."""
        return {name: first_sentence(command.help) for name, command in self.commands.items()}

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return what a shell can complete the last word to."""
        return described(super().shell_complete(ctx, incomplete))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the subcommands first, then the options."""
        layout.write_table(formatter, "Commands", self.summaries().items())
        layout.write_options(self, ctx, formatter)

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the summary; it is never cut."""
        return first_sentence(self.help)


class DefaultGroup(Group):
    """A group that runs its first command if the arguments name none."""

    @property
    def default(self) -> Any:
        """The first command."""
        return next(iter(self.commands.values()))

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the arguments, before which the name of the default command is put if it is missing."""
        general = {flag for option in general_options() for flag in option.opts}
        first = next((argument for argument in args if argument not in general), "")
        if first not in (*self.commands, "-h", "--help"):
            args = [self.default.name, *args]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line, that of the default command."""
        return layout.usage_pieces(self.default)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the subcommands first, then the options of the default command."""
        layout.write_table(formatter, "Commands", self.summaries().items())
        layout.write_options(self.default, ctx, formatter)
