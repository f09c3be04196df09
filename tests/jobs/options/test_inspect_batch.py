from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError, OptionError
from spiritlm_cli.jobs.options import InspectBatchOptions


def test_check_needs_clips() -> None:
    with pytest.raises(OptionError, match="give audio files"):
        InspectBatchOptions().check()


def test_check_names_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such file"):
        InspectBatchOptions(audio=(str(tmp_path / "gone.wav"),)).check()
    with pytest.raises(FileNotFoundError):
        InspectBatchOptions(manifest=str(tmp_path / "gone.tsv")).check()


def test_check_refuses_errors_in_an_input(tmp_path: Path) -> None:
    manifest = tmp_path / "clips.tsv"
    manifest.write_text("audio\na.wav\n")
    with pytest.raises(OptionError, match="also the input"):
        InspectBatchOptions(manifest=str(manifest), errors=manifest).check()
