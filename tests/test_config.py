import os
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from spiritlm_cli.alignment.ctc_loading import CtcConfig, ExtractorConfig
from spiritlm_cli.config import Bounds, Fraction, Size, Sizes, Text, from_mapping, read_json, read_yaml
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.loading import LlamaConfig
from spiritlm_cli.speech.hubert import HubertConfig, HubertTask
from spiritlm_cli.speech.pitch import PitchConfig
from spiritlm_cli.speech.quantizer import QuantizerConfig
from spiritlm_cli.speech.style import StyleConfig
from spiritlm_cli.vocoder.config import HifiGanConfig

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
        ({"inner": {"size": 1.5}}, "inner: size is 1.5, expected int"),
        ({"inner": {}}, "inner: missing key 'size'"),
        ({"inner": 3}, "inner is 3, expected an object"),
        ({"rate": "fast"}, "rate is 'fast', expected float"),
        ({"rate": True}, "rate is True, expected float"),
        ({"name": 3}, "name is 3, expected str | None"),
        ({"flag": 1}, "flag is 1, expected bool"),
        ({"labels": {"0": 1}}, "labels is"),
    ],
)
def test_from_mapping_errors(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^config\.json: {message}"):
        from_mapping(Outer, FULL | change, PATH)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "\x00"])
def test_read_json_and_read_yaml_errors(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    for read in (read_json, read_yaml):
        with pytest.raises(
            CheckpointError,
            match=r"config\.json: (can't be read|expected (an object|lines `name: value`) at the top)",
        ):
            read(path)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"config\.json: missing"):
        read_json(path)


@dataclass(frozen=True)
class Bounded:
    size: Size = 1
    sizes: Sizes = field(default_factory=lambda: [1])
    share: Fraction | None = None
    text: Text = ""
    nested: list[list[Size]] = field(default_factory=list)
    labels: dict[str, str | Annotated[int, Bounds(0, 9)]] = field(default_factory=dict)


def test_from_mapping_takes_values_within_bounds() -> None:
    values = {
        "size": 1 << 20, "sizes": [3, 4], "share": 1, "text": "x", "nested": [[5]], "labels": {"a": "b", "c": 9}
    }  # fmt: skip
    assert from_mapping(Bounded, values, PATH) == Bounded(**values)
    assert from_mapping(Bounded, {}, PATH).share is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size: 0 is outside of 1 to"),
        ({"size": 10**9}, "size: 1000000000 is outside of 1 to"),
        ({"size": 10**5000}, "size: an integer of 16610 bits is outside of"),
        ({"sizes": []}, "sizes: a length of 0 is outside of 1 to 16"),
        ({"sizes": [1] * 65}, "sizes: a length of 65 is"),
        ({"sizes": [1, -1]}, "sizes: -1 is outside"),
        ({"share": float("nan")}, "share: nan is outside of 0 to 1"),
        ({"share": float("inf")}, "share: inf is"),
        ({"text": "x" * 1001}, "text: a length of 1001 is"),
        ({"nested": [[1], [0]]}, "nested: 0 is"),
        ({"labels": {"a": 10}}, "labels: 10 is outside of 0 to 9"),
        ({10**5000: 1}, "unknown key an integer"),
        (dict.fromkeys(map(str, range(20))), "and 12 more"),
    ],
)
def test_from_mapping_checks_bounds(change: dict[Any, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^config\.json: .*{message}"):
        from_mapping(Bounded, change, PATH)


@pytest.mark.parametrize("size", [100, 9_000_000])
def test_read_json_and_read_yaml_refuse_what_is_no_small_regular_file(tmp_path: Path, size: int) -> None:
    path, large = tmp_path / "config.json", tmp_path / "large"
    os.mkfifo(tmp_path / "pipe")
    large.write_bytes(b" " * size)
    for target, reason in (
        ("/dev/zero", "a pipe or a device"),
        (tmp_path / "pipe", "a pipe or a device"),
        (tmp_path, "a folder"),
        (large, "larger than" if size > 100 else "found nothing"),
        (tmp_path / "nothing", "missing"),
        (path, "can't be read"),  # a loop
    ):
        path.symlink_to(target)
        for read in (read_json, read_yaml):
            if reason != "found nothing" or read is read_yaml:
                with pytest.raises(CheckpointError, match=rf"config\.json: .*{reason}"):
                    read(path)
        path.unlink()


@pytest.mark.parametrize(
    "content",
    [
        "a: !!timestamp x",
        "a: !!binary x",
        "a: !!set {x}",
        "a: !!python/name:os.system",
        "a: !!int x",
        "a: !!int ",
        "a: !!bool x",
        "!!omap [a]",
    ],
)
def test_read_yaml_refuses_other_types(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"config\.yaml: can't be read"):
        read_yaml(path)


def test_read_yaml_reads_dates_as_text_and_expands_no_merge_keys(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: 2020-99-99\nb: &b {c: 1.5, d: [null, true, 0x10]}\ne: *b\nf: {<<: *b}\n")
    inner = {"c": 1.5, "d": [None, True, 16]}
    assert read_yaml(path) == {"a": "2020-99-99", "b": inner, "e": inner, "f": {"<<": inner}}


@pytest.mark.parametrize(
    "kind",
    [
        HubertConfig,
        HubertTask,
        QuantizerConfig,
        PitchConfig,
        StyleConfig,
        HifiGanConfig,
        LlamaConfig,
        CtcConfig,
        ExtractorConfig,
    ],
)
def test_every_number_of_a_checkpoint_s_configurations_has_bounds(kind: type) -> None:
    def unbounded(annotation: Any) -> bool:
        if annotation in (int, float):
            return True
        if is_dataclass(annotation):
            return any(map(unbounded, get_type_hints(annotation, include_extras=True).values()))
        inner = get_args(annotation)
        if get_origin(annotation) is Annotated:
            inner = get_args(inner[0]) if inner[0] in (int, float, str) else inner[:1]
        return any(map(unbounded, inner))

    assert unbounded(list[int] | None)
    assert [name for name, one in get_type_hints(kind, include_extras=True).items() if unbounded(one)] == []
