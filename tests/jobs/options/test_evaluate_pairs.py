from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate_pairs import PairsOptions, StoryclozeOptions, WuggyOptions


def test_check_names_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.tsv"):
        PairsOptions(path=Path("gone.tsv")).check()


def test_check_of_a_submission(tmp_path: Path) -> None:
    WuggyOptions(path=tmp_path, submission=tmp_path).check()
    WuggyOptions(path=tmp_path, text=True, limit=1).check()
    for options in (
        WuggyOptions(path=tmp_path, submission=tmp_path, text=True),
        WuggyOptions(path=tmp_path, submission=tmp_path, limit=1),
    ):
        with pytest.raises(OptionError, match="all WAV files") as error:
            options.check()
        assert error.value.option == "--submission"


def test_check_of_a_direction(tmp_path: Path) -> None:
    StoryclozeOptions(path=tmp_path, directions=("TT", "SS")).check()
    with pytest.raises(OptionError, match="TT, TS, ST or SS, not T→S") as error:
        StoryclozeOptions(path=tmp_path, directions=("T→S",)).check()
    assert error.value.option == "--direction"
