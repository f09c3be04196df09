from pathlib import Path
from typing import Any

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate_stsp import StspOptions


def test_selected_directions(tmp_path: Path) -> None:
    assert StspOptions(path=tmp_path, directions=("SS", "TT")).selected_directions == ("t2t", "s2s")
    assert StspOptions(path=tmp_path).selected_directions == ("t2t", "t2s", "s2t", "s2s")


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({}, "--text-classifier"),
        ({"text_classifier": Path("a")}, "--speech-classifier"),
        ({"directions": ("SS",)}, "--speech-classifier"),
        ({"label": "emotion"}, "--label"),
        ({"directions": ("TX",)}, "--direction"),
        ({"score_only": Path(__file__)}, "--score-only"),
        ({"score_only": Path(__file__), "plot": Path("a.png")}, "--plot"),
        ({"plot": Path("a.pdf")}, "--plot"),
        ({"plot": Path("gone/a.png")}, "--plot"),
        ({"path": Path(__file__), "score_only": Path(__file__), "predictions": Path("a")}, "--predictions"),
        ({"predictions": Path("a"), "shard": (0, 2)}, "--predictions"),
        ({"examples": Path("a")}, "--examples"),
    ],
)
def test_check(tmp_path: Path, given: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError) as error:
        StspOptions(**{"path": tmp_path, **given}).check()
    assert error.value.option == option


def test_check_asks_for_the_judges_of_the_outputs(tmp_path: Path) -> None:
    StspOptions(path=tmp_path, directions=("ST",), text_classifier=Path("a")).check()
    with pytest.raises(FileNotFoundError, match="gone"):
        StspOptions(path=tmp_path / "gone").check()
