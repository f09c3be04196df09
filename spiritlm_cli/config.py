"""Load model configurations into typed dataclasses; anything unexpected is an error."""

import dataclasses
import json
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import read_limited

T = TypeVar("T")

# The index of the weights of a large model, and the vocabulary of an aligner, have some 100 kB.
_MAX_JSON_BYTES = 8_000_000
# PyYAML reads about 100 kB a second.
_MAX_YAML_BYTES = 100_000


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The least and the most that a number may be, or the length of a text or a list: `Annotated[int, Bounds(1, 64)]`.

    A network is built from its configuration before its weights are read. Bounds keep a damaged configuration from
    taking all memory or time for that. They are far from the sizes of any real model.
    """

    least: float
    most: float


# Channels, units, features, words of a vocabulary.
Size = Annotated[int, Bounds(1, 1 << 20)]
# Sizes of what may be missing.
Count = Annotated[int, Bounds(0, 1 << 20)]
Layers = Annotated[int, Bounds(1, 1024)]
# Kernels, strides, dilations, groups and heads.
Steps = Annotated[int, Bounds(1, 1024)]
Fraction = Annotated[float, Bounds(0, 1)]
Text = Annotated[str, Bounds(0, 1000)]
# One size for each of several layers.
Sizes = Annotated[list[Size], Bounds(1, 16)]
StepSizes = Annotated[list[Steps], Bounds(1, 16)]


def from_mapping(
    cls: type[T], mapping: Mapping[str, Any], path: Path, ignore: Iterable[str] = (), key: str = ""
) -> T:
    """Return the dataclass `cls` with its fields set from a mapping. Fields may be dataclasses themselves.

    path: file that the mapping was read from, for errors. ignore: keys that are allowed and not used. key: that of the
    mapping in the file, for errors; empty for the whole file.
    Raises CheckpointError, which names the file and every key that is unknown, missing without a default, of another
    type than its field, or outside the `Bounds` of its type, and if the dataclass raises ValueError.
    """
    assert dataclasses.is_dataclass(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    types, bounded_types = get_type_hints(cls), get_type_hints(cls, include_extras=True)
    unknown = sorted(set(mapping) - set(fields) - set(ignore), key=_show)
    faults = [f"unknown key {_show(name)}" for name in unknown]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        kind = types[name]
        if name not in mapping:
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                faults.append(f"missing key {name!r}")
        elif isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(mapping[name], Mapping):
            values[name] = from_mapping(kind, mapping[name], path, key=f"{key}.{name}" if key else name)
        elif not _has_type(mapping[name], kind):
            faults.append(f"{name} is {_show(mapping[name])}, expected {_type_name(kind)}")
        elif outside := next(_outside_bounds(mapping[name], bounded_types[name]), None):
            faults.append(f"{name}: {outside}")
        else:
            values[name] = mapping[name]
    if not faults:
        try:
            return cls(**values)
        except ValueError as error:
            faults = [str(error)]
    more = f" and {len(faults) - 8} more" if len(faults) > 8 else ""
    where = f"{path}: {key}" if key else str(path)
    raise CheckpointError(f"{where}: {', '.join(faults[:8])}{more}")


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises CheckpointError if the file is missing or holds anything else."""
    return _read_object(path, _MAX_JSON_BYTES, json.loads, "an object")


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the YAML mapping in a file.

    Raises CheckpointError if the file is missing, holds anything else, or has a key twice.
    """
    return _read_object(path, _MAX_YAML_BYTES, _parse_yaml, "lines `name: value`")


def _parse_yaml(text: str) -> Any:
    try:
        # As `yaml.safe_load`, with fewer tags: `_PlainLoader` is a SafeLoader, and constructs no objects.
        return yaml.load(text, _PlainLoader)
    except yaml.MarkedYAMLError as error:
        if error.problem_mark is None:
            raise
        mark = error.problem_mark
        raise ValueError(f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}") from error


_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")
)


class _PlainLoader(yaml.SafeLoader):
    """Reads YAML with the values that JSON has: no dates, whose tag makes PyYAML fail on a text that is none.

    Merge keys (`<<`) are not read either: nested ones make a mapping of any size from a few lines.
    """

    yaml_constructors = {  # noqa: RUF012  # PyYAML's own attribute
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag in _PLAIN_TAGS
    }
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _PLAIN_TAGS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Raises ConstructorError for a repeated key, of which PyYAML takes the last value."""
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            known = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True)
                if key in known:
                    raise yaml.constructor.ConstructorError(
                        problem=f"a second {_show(key)}", problem_mark=key_node.start_mark
                    )
                known.add(key)
        return mapping


def _has_type(value: Any, kind: Any) -> bool:
    """Whether a value from JSON, YAML or a pickle has the type of a field."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is Annotated:
        return _has_type(value, inner[0])
    if origin in (Union, UnionType):
        return any(_has_type(value, option) for option in inner)
    if origin is list:
        return isinstance(value, list | tuple) and all(_has_type(item, inner[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            _has_type(key, inner[0]) and _has_type(item, inner[1]) for key, item in value.items()
        )
    if kind in (int, float):
        # bool is a subclass of int
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    return isinstance(value, kind)


def _outside_bounds(value: Any, kind: Any) -> Iterator[str]:
    """Yield what is outside the bounds of its type, in words. value: of the type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        for bounds in inner[1:]:
            number = value if isinstance(value, int | float) else len(value)
            if not bounds.least <= number <= bounds.most:  # also for NaN
                what = _show(value) if number is value else f"a length of {number}"
                yield f"{what} is outside of {bounds.least} to {bounds.most}"
        yield from _outside_bounds(value, inner[0])
    elif origin in (Union, UnionType):
        yield from _outside_bounds(value, next(option for option in inner if _has_type(value, option)))
    elif origin is list:
        for item in value:
            yield from _outside_bounds(item, inner[0])
    elif origin is dict:
        for key, item in value.items():
            yield from _outside_bounds(key, inner[0])
            yield from _outside_bounds(item, inner[1])


def _show(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of too many digits, from a pickle
        return f"an integer of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__


def _type_name(kind: Any) -> str:
    if dataclasses.is_dataclass(kind):
        return "an object"
    return str(kind) if get_args(kind) or not isinstance(kind, type) else kind.__name__


# What a file holds at the top, in words.
_KINDS = {type(None): "nothing", list: "a list", str: "a text", int: "a number", float: "a number"}


def _read_object(path: Path, max_bytes: int, parse: Callable[[str], Any], expected: str) -> dict[str, Any]:
    """expected: a mapping, in the words of the file's format."""
    try:
        content = parse(read_limited(path, max_bytes, CheckpointError).decode())
    except (CheckpointError, MemoryError):
        raise
    except Exception as error:  # for a value that doesn't fit its tag, PyYAML raises half a dozen types
        raise CheckpointError(f"{path}: can't be read ({error})") from error
    if not isinstance(content, dict):
        found = _KINDS.get(type(content), type(content).__name__)
        raise CheckpointError(f"{path}: expected {expected} at the top, found {found}")
    return content
