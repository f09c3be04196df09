"""Options as fields of frozen dataclasses: type, default, help and spelling, said once.

A dataclass of options is what a job takes from Python; `cli/command.py` makes the command line from the same fields.
"""

import dataclasses
import math
import os
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from spiritlm_cli.errors import OptionError

Group = Literal[
    "input", "task", "continuation", "sampling", "few-shot", "scoring", "spans", "units", "speech", "network",
    "training", "output", "model", "execution",
]  # fmt: skip
# The headings under which a command's help lists its options, in order.
GROUPS: dict[Group, str] = {
    "input": "Input",
    "task": "Task",
    "continuation": "Continuation",
    "sampling": "Sampling",
    "few-shot": "Few-shot tasks",
    "scoring": "Scoring",
    "spans": "Spans",
    "units": "Units",
    "speech": "Speech",
    "network": "Network",
    "training": "Training",
    "output": "Output",
    "model": "Model",
    "execution": "Machine",
}

_KEY = "spiritlm.option"


@dataclass(frozen=True)
class OptionSpec:
    """How a field is written on a command line.

    flags: such as `("-o", "--output")`; none: made from the field's name. minimum, maximum: of a number, inclusive,
    unless `above` excludes the minimum; remedy: what to do instead of giving a number outside of them. parse: makes the
    field's value from the text of the option, and raises OptionError; default_text: its default in the help, or
    "required". path: the value is a path, or paths ("-": standard input); reads: it may be the path of a file that is
    read; writes: it is the path of an output, what that contains. execution: the option changes how a job runs and not
    what it writes, so that a resumed run may have another value. group: the heading under which the help lists it.
    """

    help: str
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    above: bool = False
    remedy: str | None = None
    parse: Callable[[str], Any] | None = None
    default_text: str | None = None
    argument: bool = False
    path: bool = False
    reads: bool = False
    writes: Literal["text", "sound", "folder"] | None = None
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


def settings(options: Any, *, inputs: bool = True) -> dict[str, Any]:
    """The options that decide what a job writes, by field name, as JSON values; paths are absolute, without links.

    inputs: False leaves out the options that name inputs.
    """
    specs = {field.name: spec_of(field) for field in dataclasses.fields(options)}
    return {
        name: _to_json(getattr(options, name), spec)
        for name, spec in specs.items()
        if not spec.execution and (inputs or spec.group != "input")
    }


def with_settings(options: Any, recorded: Mapping[str, Any]) -> Any:
    """The options with recorded settings in place of those that are left at their defaults.

    recorded: what `settings` returned, read from JSON. Raises OptionError for an option that is given and contradicts
    what is recorded, and for a recorded setting that there is not, or with a value that the option can't have.
    """
    fields = {field.name: field for field in dataclasses.fields(options) if not spec_of(field).execution}
    if unknown := sorted(recorded.keys() - fields.keys()):
        raise OptionError(f"{', '.join(unknown)}: the run has settings that this version does not know")
    hints = get_type_hints(type(options))
    changes: dict[str, Any] = {}
    for name, before in recorded.items():
        field, value = fields[name], getattr(options, name)
        now = _to_json(value, spec_of(field))
        if now == before:
            continue
        if value != field.default:
            raise OptionError(
                f"is {_spelled(now)} now and was {_spelled(before)} when the run began", flag_of(field)
            )
        try:
            changes[name] = _from_json(before, hints[name])
            _check_limits(changes[name], spec_of(field))
        except ValueError:
            raise OptionError(
                f"was recorded as {reprlib.repr(before)}, which it can't be", flag_of(field)
            ) from None
    return dataclasses.replace(options, **changes)


def _to_json(value: Any, spec: OptionSpec) -> Any:
    if isinstance(value, tuple):
        return [_to_json(one, spec) for one in value]
    if spec.path and value not in (None, "-"):
        return os.path.realpath(value)
    return str(value) if isinstance(value, Path) else value


def _from_json(value: Any, hint: Any) -> Any:
    """The value of a field with a type hint from its JSON form. Raises ValueError for a value of another type."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        for one in inner:
            try:
                return _from_json(value, one)
            except ValueError:
                continue
    elif origin is Literal:
        if isinstance(value, str | int) and value in inner:
            return value
    elif origin is tuple:
        if isinstance(value, list):
            kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
            return tuple(_from_json(one, kind) for one, kind in zip(value, kinds, strict=True))
    elif hint is Path:
        if isinstance(value, str):
            return Path(value)
    elif hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, NoneType if hint is None else hint) and (
        hint is bool or not isinstance(value, bool)
    ):
        return value
    raise ValueError(value)


def check_limits(options: Any) -> None:
    """Raise OptionError for a number that is not finite, or outside of its option's limits."""
    for field in dataclasses.fields(options):
        spec = spec_of(field)
        try:
            _check_limits(getattr(options, field.name), spec)
        except ValueError as error:
            remedy = f"; {spec.remedy}" if spec.remedy else ""
            must = limits_of(spec) or "a finite number"
            if spec.minimum is not None and getattr(options, field.name) == math.inf:
                must += " and finite"
            raise OptionError(f"must be {must}, not {error}{remedy}", flag_of(field)) from None


def limits_of(spec: OptionSpec) -> str:
    """The limits of a number in words, such as `from 1 to 8`; empty if there are none."""
    low, high = spec.minimum, spec.maximum
    if low is None:
        return "" if high is None else f"at most {high:g}"
    if high is None:
        return f"above {low:g}" if spec.above else f"at least {low:g}"
    return f"above {low:g}, at most {high:g}" if spec.above else f"from {low:g} to {high:g}"


def _check_limits(value: Any, spec: OptionSpec) -> None:
    """Raise ValueError for a number that the command line would refuse."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    low, high = spec.minimum, spec.maximum
    in_limits = low is None or (value > low if spec.above else value >= low)
    if not (math.isfinite(value) and in_limits and (high is None or value <= high)):
        raise ValueError(f"{value:g}" if isinstance(value, float) else value)


def _spelled(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "not given"
    return "not given" if value is None else str(value)
