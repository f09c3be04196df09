"""`--config FILE`: a command's options from a YAML file."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer

from spiritlm_cli.cli.general import Command
from spiritlm_cli.config import read_yaml
from spiritlm_cli.console import one_line
from spiritlm_cli.errors import CheckpointError


class ConfigurableCommand(Command):
    """A command that takes its options from a YAML file too, `--config`: options that are given replace its values."""

    def __init__(self, *args: Any, params: list[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or []), _config_option()], **kwargs)


def _config(
    config: Path | None = typer.Option(  # noqa: B008
        None,
        metavar="FILE",
        help="YAML file of options by their long names, such as `learning-rate: 0.001`; options that are given "
        "replace its values.",
        rich_help_panel="Input",
        is_eager=True,
        expose_value=False,
        callback=lambda context, value: _set_defaults(context, value),
    ),
) -> None:
    """The option; typer makes its parser object from this signature."""


def _config_option() -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(_config)
    return typer.main.get_command(app).params[0]


def _set_defaults(context: typer.Context, path: Path | None) -> None:
    """Make the values of a file the defaults of the options. Raises BadParameter for a file that can't be used."""
    if path is None:
        return
    try:
        context.default_map = read_options(path, context.command)
    except CheckpointError as error:
        raise typer.BadParameter(one_line(str(error))) from error


def read_options(path: Path, command: Any) -> dict[str, Any]:
    """Read the values of a command's options, by the names of their parameters.

    Raises CheckpointError for a file that can't be read, and for an unknown option or one whose value has another form.
    """
    options = {
        option.opts[-1].removeprefix("--"): option
        for option in command.params
        if option.param_type_name == "option" and option.expose_value
    }
    values = {}
    for key, value in read_yaml(path).items():
        name = str(key).replace("_", "-")
        if name not in options:
            nearest = get_close_matches(name, options, 1)
            hint = f"the nearest is {nearest[0]!r}" if nearest else "--help lists them"
            raise CheckpointError(f"{path}: {name!r} is no option of {command.name}; {hint}")
        option = options[name]
        if value is not None:
            if not _has_form(value, option):
                expected = "true or false" if option.is_flag else "text or a number"
                raise CheckpointError(
                    f"{path}: {name}: expected {expected}{' or a list of them' * option.multiple}"
                )
            values[option.name] = value
    return values


def _has_form(value: Any, option: Any) -> bool:
    if option.is_flag:
        return isinstance(value, bool)
    if option.multiple and isinstance(value, list):
        return all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in value)
    return isinstance(value, str | int | float) and not isinstance(value, bool)
