from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate_units import AbxOptions, UnitsOptions, parse_many


def test_changes_are_the_names_in_augmentations(tmp_path: Path) -> None:
    assert UnitsOptions(data=tmp_path).changes == ("stretch", "pitch", "reverb", "noise")
    assert UnitsOptions(data=tmp_path, augmentations="none").changes == ()
    assert UnitsOptions(data=tmp_path, augmentations=" pitch, noise").changes == ("pitch", "noise")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augmentations": "echo"}, "has echo; known are stretch"),
        ({"alignments": Path(), "phones": False}, "excludes --no-phones"),
    ],
)
def test_units_refuses_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        UnitsOptions(data=tmp_path, **options).check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either --audio or --features"),
        ({"audio": Path(), "features": Path(), "rate": 25.0}, "either --audio or --features"),
        ({"features": Path()}, "need each other"),
        ({"audio": Path(), "rate": 25.0}, "need each other"),
        ({"features": Path(), "rate": 25.0, "layer": 3}, "needs --audio"),
    ],
)
def test_abx_refuses_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        AbxOptions(path=tmp_path, **options).check()


def test_parse_many() -> None:
    assert [parse_many("all"), parse_many("7")] == ["all", 7]
    for text in ("0", "-1", "x", "1.5"):
        with pytest.raises(OptionError, match="a number from 1, or all"):
            parse_many(text)
