"""Commands made from dataclasses of options: a field is an option of the command line."""

import dataclasses
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import typer

from spiritlm_cli.console import one_line
from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import GROUPS, OptionSpec, check_limits, flag_of, limits_of, spec_of

Options = TypeVar("Options")

# How the help shows the value of an option whose metavar is not given.
_METAVARS = {int: "N", float: "NUMBER", str: "TEXT", Path: "FILE"}
# Metavars of options whose value can be the name of a known model.
_TO_DOWNLOAD = "NAME|HF-REPO"
_MODELS = ("NAME|FOLDER|HF-REPO", "MODEL", _TO_DOWNLOAD)


def command(kind: type[Options]) -> Callable[[Callable[[Options], Any]], Callable[..., None]]:
    """Make a command for typer of a function of one dataclass of options; its docstring is the help.

    The options' `check`, where they have one, is called first: it names wrong options and missing files before the
    function imports a job, and with it torch. Names of models are checked then too. An OptionError becomes a usage
    error (exit status 2). If the function returns a summary with `failed` inputs, the exit status is 1.
    """

    def decorate(function: Callable[[Options], Any]) -> Callable[..., None]:
        def run(**values: Any) -> None:
            try:
                options = kind(**_parsed(kind, values))
                check_limits(options)
                if hasattr(options, "check"):
                    options.check()
                _check_models(options)
                summary = function(options)
            except OptionError as error:
                raise typer.BadParameter(one_line(str(error)), param_hint=error.option) from error
            if getattr(summary, "failed", 0):
                raise typer.Exit(1)

        run.__doc__ = function.__doc__
        run.__name__ = function.__name__
        parameters = _parameters(kind)
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _fields(kind: Any) -> "list[dataclasses.Field[Any]]":
    """The fields in the order of their groups; arguments first, and `-o` first of its group."""
    order = list(GROUPS)

    def key(field: "dataclasses.Field[Any]") -> tuple[bool, int, bool]:
        spec = spec_of(field)
        return not spec.argument, order.index(spec.group), "-o" not in spec.flags

    return sorted(dataclasses.fields(kind), key=key)


def _parameters(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind)
    return [_parameter(field, hints[field.name]) for field in _fields(kind)]


def _parameter(field: "dataclasses.Field[Any]", hint: Any) -> inspect.Parameter:
    spec = spec_of(field)
    default: Any = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
    if default == ():
        default = None
    if spec.parse:
        hint, default = str | None, None
    elif _is_tuple(hint):
        several: Any = list[get_args(hint)[0]]  # type: ignore[misc]
        hint = several if default is inspect.Parameter.empty else several | None
    described = (_argument if spec.argument else _option)(field, spec, hint)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[hint, described]
    )


def _is_tuple(hint: Any) -> bool:
    return get_origin(hint) is tuple


def _help(spec: OptionSpec) -> str:
    # That a number is not negative goes without saying.
    limits = "" if spec.minimum == 0 and spec.maximum is None and not spec.above else limits_of(spec)
    text = f"{spec.help} {limits[0].upper()}{limits[1:]}." if limits else spec.help
    if spec.default_text is None:
        return text
    return (
        f"{text}  [required]"
        if spec.default_text == "required"
        else f"{text}  [default: {spec.default_text}]"
    )


def _argument(field: "dataclasses.Field[Any]", spec: OptionSpec, hint: Any) -> Any:
    metavar = spec.metavar or field.name.upper()
    return typer.Argument(
        metavar=metavar,
        help=_help(spec),
        rich_help_panel=GROUPS[spec.group],
        autocompletion=_completion(metavar) if metavar in _MODELS else None,
    )


def _option(field: "dataclasses.Field[Any]", spec: OptionSpec, hint: Any) -> Any:
    flags = spec.flags or (flag_of(field),)
    if not spec.flags and field.default is True:
        flags = (f"{flags[0]}/--no-{flags[0][2:]}",)
    kinds = _kinds(hint)
    return typer.Option(
        *flags,
        metavar=spec.metavar or next((name for kind, name in _METAVARS.items() if kind in kinds), None),
        help=_help(spec),
        show_default=spec.default_text is None,
        rich_help_panel=GROUPS[spec.group],
        autocompletion=_completion(spec.metavar) if spec.metavar else None,
    )


def _completion(metavar: str) -> Callable[[str], list[str]] | None:
    """What a shell completes a value from: models, or the words of a metavar such as `auto|cpu|cuda[:N]|FILE`."""
    words = [word for word in metavar.split("|") if word.islower() and word.isalpha()]

    def complete(incomplete: str) -> list[str]:
        names = _model_names(metavar) if metavar in _MODELS else words
        return [name for name in names if name.startswith(incomplete)]

    return complete if words or metavar in _MODELS else None


def _model_names(metavar: str) -> list[str]:
    """The known models; where a model is used and not downloaded, those of them that are here."""
    from spiritlm_cli.checkpoints.registry import installed_folder, known_models

    is_any = metavar == _TO_DOWNLOAD
    return [name for name in known_models() if is_any or name == "nano" or installed_folder(name)]


def _check_models(options: Any) -> None:
    """Raise CheckpointError for a model that is not on this machine and is no Hugging Face repository."""
    names = (getattr(options, field.name) for field in dataclasses.fields(options) if _is_model(field))
    for name in filter(None, names):
        from spiritlm_cli.checkpoints.layout import check_name  # `--help` does without it

        check_name(name)


def _is_model(field: "dataclasses.Field[Any]") -> bool:
    """Whether an option's value is the name of a model to use, not to download."""
    metavar = spec_of(field).metavar
    return metavar in _MODELS and metavar != _TO_DOWNLOAD


def _kinds(hint: Any) -> set[Any]:
    """The types of a union, or the one type."""
    return set(get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,))


def _parsed(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The values of the fields from those of the command line. Raises OptionError."""
    parsed = {}
    for field in dataclasses.fields(kind):
        value, spec = values[field.name], spec_of(field)
        if value is None and field.default is not dataclasses.MISSING:
            value = field.default
        elif spec.parse:
            try:
                value = spec.parse(value)
            except ValueError as error:  # such as an OptionError, or a number of too many digits
                raise OptionError(str(error), flag_of(field)) from None
        elif isinstance(value, list):
            value = tuple(value)
        parsed[field.name] = value
    return parsed
