from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.config import from_mapping, read_json, read_yaml
from spiritlm_cli.errors import CheckpointError

PATH = Path("config.json")


@dataclass(frozen=True)
class Inner:
    size: int


@dataclass(frozen=True)
class Outer:
    sizes: list[list[int]]
    inner: Inner
    rate: float = 25.0
    name: str | None = None
    flag: bool = False
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sizes:
            raise ValueError("there are no sizes")


FULL: dict[str, Any] = {"sizes": [[1], [2, 3]], "inner": {"size": 4}}


def test_from_mapping() -> None:
    assert from_mapping(Outer, FULL, PATH) == Outer([[1], [2, 3]], Inner(4))
    assert from_mapping(Outer, FULL | {"rate": 25, "name": None, "seed": 1}, PATH, ignore=["seed"]).rate == 25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown key 'colour'"),
        ({"sizes": [[1], ["2"]]}, r"sizes is \[\[1\], \['2'\]\], expected list\[list\[int\]\]"),
        ({"sizes": 3}, "sizes is 3, expected"),
        ({"sizes": []}, "there are no sizes"),
        ({"inner": {"size": 1.5}}, "Inner: size is 1.5, expected int"),
        ({"inner": {}}, "missing key 'size'"),
        ({"inner": 3}, "inner is 3, expected Inner"),
        ({"rate": "fast"}, "rate is 'fast', expected float"),
        ({"rate": True}, "rate is True, expected float"),
        ({"name": 3}, "name is 3, expected str | None"),
        ({"flag": 1}, "flag is 1, expected bool"),
        ({"labels": {"0": 1}}, "labels is"),
    ],
)
def test_from_mapping_errors(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=rf"config\.json: configuration of .*{message}"):
        from_mapping(Outer, FULL | change, PATH)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "\x00"])
def test_read_json_and_read_yaml_errors(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    for read in (read_json, read_yaml):
        with pytest.raises(CheckpointError, match=r"config\.json: (can't be read|expected an object)"):
            read(path)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"config\.json: missing"):
        read_json(path)
