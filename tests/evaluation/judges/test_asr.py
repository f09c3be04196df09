import importlib.util
from pathlib import Path

import pytest
from judge_fixtures import write_ctc_recognizer

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.evaluation.judges.asr import describe_asr, load_asr
from spiritlm_cli.evaluation.judges.ctc_recognizer import CtcRecognizer


def test_load_asr_of_a_ctc_folder(tmp_path: Path) -> None:
    folder = write_ctc_recognizer(tmp_path)
    assert isinstance(load_asr(str(folder), "cpu"), CtcRecognizer)
    assert describe_asr(folder).startswith(f"{folder.name} (sha256 ")


def test_describe_asr_of_a_whisper_folder(whisper_folder: Path) -> None:
    assert describe_asr(whisper_folder).startswith(f"{whisper_folder.name} (sha256 ")


@pytest.mark.skipif(importlib.util.find_spec("faster_whisper") is None, reason="needs faster-whisper")
def test_load_asr_of_other_folders(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no model\.bin"):
        load_asr(tmp_path, "cpu")
