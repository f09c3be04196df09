"""Subcommands that are imported when they are used, so that `spiritlm --help` imports none of them."""

from importlib import import_module
from typing import Any

import typer

from spiritlm_cli.cli import general

# Each subcommand with the first sentence of its help; its module in `commands` has a function or an app of its name.
SUMMARIES = {
    "tokenize": "Turn audio into token lines.",
    "align": "Find when each word is spoken.",
    "interleave": "Make training sequences that switch between speech and text at word boundaries.",
    "generate": "Continue token lines.",
    "decode": "Turn token lines into audio.",
    "inspect": "Show the tokens of audio or of token lines: tables, plots, a page with sound, differences.",
    "bench": "Measure the speed of each stage here; the table goes to stdout.",
    "evaluate": "Evaluate a model on a benchmark; the result goes to stdout.",
    "train": "Train a part of a model, in the layout of --model.",
    "models": "Find, download, check, convert and merge models.",
    "doctor": "Report what is installed here, what is broken, and how to fix it; the report goes to stdout.",
}


def load_command(name: str) -> Any:
    """Import a subcommand. Returns its click command."""
    member = getattr(import_module(f"spiritlm_cli.cli.commands.{name}"), name)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(member, typer.Typer):
        app.add_typer(member)
        return typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    app.command(name, cls=general.Command)(member)
    command = typer.main.get_command(app)
    command.name = name
    return command


class LazyCommands(dict[str, Any]):
    """The subcommands by name, each imported when it is asked for."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(SUMMARIES))

    def __getitem__(self, name: str) -> Any:
        command = super().__getitem__(name)
        if command is None:
            command = self[name] = load_command(name)
        return command

    def get(self, name: str, default: Any = None) -> Any:
        """The command of a name, or the default."""
        try:
            return self[name]
        except KeyError:
            return default

    def values(self) -> Any:
        """All commands."""
        return {name: self[name] for name in self}.values()

    def items(self) -> Any:
        """All commands with their names."""
        return {name: self[name] for name in self}.items()


class LazyGroup(general.Group):
    """A group whose subcommands are those of `SUMMARIES`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands = LazyCommands()

    def summaries(self) -> dict[str, str]:
        """The summaries, without importing the subcommands."""
        return SUMMARIES

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, without importing the subcommands."""
        return list(self.commands)
