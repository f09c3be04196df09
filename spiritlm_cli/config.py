"""Load model configurations into typed dataclasses; anything unexpected is an error."""

import dataclasses
import json
import reprlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from spiritlm_cli.errors import CheckpointError

T = TypeVar("T")


def from_mapping(cls: type[T], mapping: Mapping[str, Any], path: Path, ignore: Iterable[str] = ()) -> T:
    """Return the dataclass `cls` with its fields set from a mapping. Fields may be dataclasses themselves.

    path: file that the mapping was read from, for errors. ignore: keys that are allowed and not used.
    Raises CheckpointError, which names the file and every key that is unknown, missing without a default, or of another
    type than its field, and if the dataclass raises ValueError.
    """
    assert dataclasses.is_dataclass(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    types = get_type_hints(cls)
    faults = [f"unknown key {name!r}" for name in sorted(set(mapping) - set(fields) - set(ignore), key=str)]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        kind = types[name]
        if name not in mapping:
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                faults.append(f"missing key {name!r}")
        elif isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(mapping[name], Mapping):
            values[name] = from_mapping(kind, mapping[name], path)
        elif _has_type(mapping[name], kind):
            values[name] = mapping[name]
        else:
            faults.append(f"{name} is {reprlib.repr(mapping[name])}, expected {_type_name(kind)}")
    if not faults:
        try:
            return cls(**values)
        except ValueError as error:
            faults = [str(error)]
    raise CheckpointError(f"{path}: configuration of {cls.__name__}: {', '.join(faults)}")


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises CheckpointError if the file is missing or holds anything else."""
    return _read_object(path, json.loads)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the YAML mapping in a file. Raises CheckpointError if the file is missing or holds anything else."""
    return _read_object(path, yaml.safe_load)


def _has_type(value: Any, kind: Any) -> bool:
    """Whether a value from JSON, YAML or a pickle has the type of a field."""
    origin, inner = get_origin(kind), get_args(kind)
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


def _type_name(kind: Any) -> str:
    return str(kind) if get_args(kind) or not isinstance(kind, type) else kind.__name__


def _read_object(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing") from None
    except (ValueError, yaml.YAMLError, OSError, RecursionError) as error:
        raise CheckpointError(f"{path}: can't be read ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected an object at the top, found {type(content).__name__}")
    return content
