from dataclasses import replace
from pathlib import Path

import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.options import ToxicityOptions


def test_check(tmp_path: Path) -> None:
    options = ToxicityOptions(data=tmp_path, words=tmp_path)
    options.check()
    with pytest.raises(FileNotFoundError, match="gone"):
        replace(options, words=Path("gone.txt")).check()
    with pytest.raises(OptionError, match=r"--words.*--text-classifier"):
        replace(options, words=None).check()
    with pytest.raises(OptionError, match="is for --speech"):
        replace(options, save_audio=tmp_path).check()
    with pytest.raises(OptionError, match="is for --speech"):
        replace(options, speaker="0").check()
