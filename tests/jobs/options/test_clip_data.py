from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options.clip_data import ClipDataOptions


def test_one_source_is_needed(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="either a folder or manifest"):
        ClipDataOptions().check_data()
    with pytest.raises(OptionError, match="both DATA and --manifest are given"):
        ClipDataOptions(data=tmp_path, manifest=tmp_path).check_data()
    for options in (ClipDataOptions(data=tmp_path), ClipDataOptions(manifest=tmp_path)):
        options.check_data()
        assert options.source == tmp_path
    ClipDataOptions(manifest=Path("-")).check_data()


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ClipDataOptions(data=tmp_path / "none").check_data()
