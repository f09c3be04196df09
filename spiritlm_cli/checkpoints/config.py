"""A model's numbers, read from its configuration into a typed dataclass; anything unexpected is an error."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from spiritlm_cli.errors import CheckpointError

T = TypeVar("T")


def from_mapping(cls: type[T], mapping: Mapping[str, Any], path: Path, ignore: Iterable[str] = ()) -> T:
    """The dataclass `cls` filled from `mapping`, which was read from `path`.

    ignore: keys that may be there and mean nothing to us. Raises CheckpointError that names the file and every key
    that is unknown, or missing without a default.
    """
    assert dataclasses.is_dataclass(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(set(mapping) - set(fields) - set(ignore))
    missing = sorted(
        name
        for name, field in fields.items()
        if name not in mapping
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    )
    faults = [f"unknown key {name!r}" for name in unknown] + [f"missing key {name!r}" for name in missing]
    if faults:
        raise CheckpointError(f"{path}: configuration of {cls.__name__}: {', '.join(faults)}")
    try:
        return cls(**{name: mapping[name] for name in fields if name in mapping})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: configuration of {cls.__name__}: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises CheckpointError where it is missing or isn't one."""
    return _object(path, json.loads)


def read_yaml(path: Path) -> dict[str, Any]:
    """The YAML mapping in a file. Raises CheckpointError where it is missing or isn't one."""
    return _object(path, yaml.safe_load)


def _object(path: Path, parse: Any) -> dict[str, Any]:
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing") from None
    except (ValueError, yaml.YAMLError, OSError) as error:
        raise CheckpointError(f"{path}: can't be read ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected an object at the top, found {type(content).__name__}")
    return content
