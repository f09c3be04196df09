from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.evaluate_choice import ChoiceOptions, MmluOptions


def test_check_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        MmluOptions(path=Path("gone")).check()
    with pytest.raises(FileNotFoundError, match="gone"):
        ChoiceOptions(paths=(Path("gone"),)).check()
    MmluOptions(path=tmp_path).check()


def test_check_refuses_a_folder_of_questions(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="not a file"):
        ChoiceOptions(paths=(tmp_path,)).check()
