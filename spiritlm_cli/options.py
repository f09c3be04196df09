"""Options as fields of frozen dataclasses: type, default, help and spelling, said once.

A dataclass of options is what a job takes from Python; `cli/command.py` makes the command line from the same fields.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spiritlm_cli.errors import OptionError

# The order in which a command lists its options.
Group = Literal["input", "task", "output", "model", "execution"]
GROUPS: tuple[Group, ...] = ("input", "task", "output", "model", "execution")

_KEY = "spiritlm.option"


@dataclass(frozen=True)
class OptionSpec:
    """How a field is written on a command line.

    flags: such as `("-o", "--output")`; none: made from the field's name. minimum, maximum: of a number, inclusive.
    parse: makes the field's value from the text of the option, and raises OptionError; default_text: the default as
    the help shows it. execution: the option changes how a job runs and not what it writes, so that a resumed run may
    have another value.
    """

    help: str
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    parse: Callable[[str], Any] | None = None
    default_text: str | None = None
    argument: bool = False
    execution: bool = False
    group: Group = "task"


def option(default: Any, help: str, *flags: str, **spec: Any) -> Any:  # noqa: A002
    """Declare a dataclass field as an option; `OptionSpec` has the keyword arguments. `...`: there is no default."""
    metadata = {_KEY: OptionSpec(help, flags, **spec)}
    if default is ...:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def spec_of(field: "dataclasses.Field[Any]") -> OptionSpec:
    """The OptionSpec that `option` declared for a field."""
    spec: OptionSpec = field.metadata[_KEY]
    return spec


def flag_of(field: "dataclasses.Field[Any]") -> str:
    """How messages name a field's option: its long flag, or an argument's metavar."""
    spec = spec_of(field)
    if spec.argument:
        return spec.metavar or field.name.upper()
    return spec.flags[-1].partition("/")[0] if spec.flags else "--" + field.name.replace("_", "-")


def settings(options: Any) -> dict[str, Any]:
    """The options that decide what a job writes, by field name, as JSON values."""
    return {
        field.name: _to_json(getattr(options, field.name))
        for field in dataclasses.fields(options)
        if not spec_of(field).execution
    }


def with_settings(options: Any, recorded: Mapping[str, Any]) -> Any:
    """The options with recorded settings in place of those that are left at their defaults.

    Raises OptionError for an option that is given and contradicts what is recorded.
    """
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        if spec_of(field).execution or field.name not in recorded:
            continue
        value, before = getattr(options, field.name), recorded[field.name]
        if _to_json(value) == before:
            continue
        if value != field.default:
            raise OptionError(
                f"is {_spelled(_to_json(value))} now and was {_spelled(before)} when the run began",
                flag_of(field),
            )
        changes[field.name] = _from_json(value if value is not None else field.default, before)
    return dataclasses.replace(options, **changes)


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_json(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _from_json(like: Any, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return Path(value) if isinstance(like, Path) else value


def _spelled(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "not given"
    return "not given" if value is None else str(value)
