import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import (
    OptionSpec,
    check_limits,
    flag_of,
    limits_of,
    option,
    settings,
    spec_of,
    with_settings,
)


@dataclass(frozen=True, kw_only=True)
class Options:
    names: tuple[str, ...] = option((), "Names.", metavar="NAME", argument=True)
    top_k: int = option(0, "K.")
    ids: bool | None = option(None, "Ids.", "--ids/--no-ids")
    folder: Path | None = option(None, "Folder.", "-f", "--folder")
    words: tuple[int, int] = option((1, 2), "Words.")
    workers: int = option(2, "Threads.", execution=True)


def test_flag_of_is_the_long_flag_or_the_metavar() -> None:
    assert [flag_of(field) for field in dataclasses.fields(Options)] == [
        "NAME", "--top-k", "--ids", "--folder", "--words", "--workers",
    ]  # fmt: skip
    assert spec_of(dataclasses.fields(Options)[0]).help == "Names."


def test_settings_leave_out_how_a_run_is_executed() -> None:
    options = Options(names=("a",), folder=Path("b"), workers=9)
    assert settings(options) == {"names": ["a"], "top_k": 0, "ids": None, "folder": "b", "words": [1, 2]}


def test_with_settings_replaces_defaults_and_refuses_contradictions() -> None:
    recorded = settings(Options(names=("a", "b"), top_k=5, words=(3, 4)))
    assert with_settings(Options(names=("a", "b"), workers=9), recorded) == Options(
        names=("a", "b"), top_k=5, words=(3, 4), workers=9
    )
    with pytest.raises(OptionError, match="is 6 now and was 5 when the run began") as raised:
        with_settings(Options(names=("a", "b"), top_k=6), recorded)
    assert raised.value.option == "--top-k"


def test_an_option_without_a_default_is_required() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Required:
        output: str = option(..., "Output.")

    with pytest.raises(TypeError, match="output"):
        Required()


@dataclass(frozen=True, kw_only=True)
class Numbers:
    rate: float = option(1.0, "Rate.", minimum=0, above=True, remedy="give --no-rate instead")
    share: float | None = option(None, "Share.", minimum=0, maximum=1)
    scale: float = option(1.0, "Scale.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": 0.0}, "must be above 0, not 0; give --no-rate instead"),
        ({"share": 2}, "must be from 0 to 1, not 2"),
        ({"share": float("nan")}, "must be from 0 to 1, not nan"),
        ({"rate": float("inf")}, "must be above 0 and finite, not inf; give --no-rate instead"),
        ({"scale": float("inf")}, "must be a finite number, not inf"),
    ],
)
def test_check_limits_names_the_limits_and_the_remedy(changes: dict[str, float], message: str) -> None:
    check_limits(Numbers())
    with pytest.raises(OptionError) as raised:
        check_limits(Numbers(**changes))
    assert str(raised.value) == message
    assert raised.value.option == "--" + next(iter(changes))


def test_limits_of_says_what_a_number_may_be() -> None:
    limits = [
        (None, None, False),
        (1, None, False),
        (0, None, True),
        (None, 5, False),
        (0, 1, True),
        (1, 8, False),
    ]
    assert [limits_of(OptionSpec("", minimum=a, maximum=b, above=c)) for a, b, c in limits] == [
        "", "at least 1", "above 0", "at most 5", "above 0, at most 1", "from 1 to 8",
    ]  # fmt: skip
