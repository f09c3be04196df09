from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.errors import OptionError
from spiritlm_cli.jobs.evaluations.saved_audio import check_saved_audio, save_audio
from spiritlm_cli.manifests.clip import Waveform


def test_save_audio_stays_in_the_folder(tmp_path: Path) -> None:
    sound = Waveform(np.zeros(160, np.float32), 16000)
    folder = tmp_path / "new" / "audio"
    for item_id in ("../up", "/etc/passwd", "a b", ".."):
        save_audio(folder, item_id, sound)
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {path.name for path in folder.iterdir()}
    assert {"%2E.%2Fup.wav", "a b.wav"} <= names
    assert len(names) == 4
    save_audio(None, "a", sound)


def test_check_saved_audio_keeps_recordings(tmp_path: Path) -> None:
    recording = tmp_path / "clips" / "a.wav"
    check_saved_audio(tmp_path / "other", [recording, "-"])
    with pytest.raises(OptionError, match="clips has the recording"):
        check_saved_audio(tmp_path / "x" / ".." / "clips", [recording])
