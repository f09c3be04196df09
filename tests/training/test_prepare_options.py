from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.training.prepare_options import PrepareOptions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "nothing to prepare"),
        ({"manifest": Path("clips.tsv")}, "needs --units"),
        ({"units": Path("units.jsonl"), "text": (Path("a"),)}, "needs --units, and the other way round"),
        ({"text": (Path("a"),), "resume": True, "overwrite": True}, "can't be given with --resume"),
    ],
)
def test_check_refuses(changes: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        PrepareOptions(output=Path("data"), **changes).check()  # type: ignore[arg-type]
    PrepareOptions(output=Path("data"), text=(Path("a"),)).check()
