import numpy as np
import pytest

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError
from spiritlm_cli.jobs.sinks import Folder, OneFile
from spiritlm_cli.manifests.clip import Waveform

TONE = Waveform(np.full(1600, 0.5, dtype=np.float32), 16000)


def test_a_file_for_each_id(tmp_path):
    with Folder(tmp_path / "new", ".flac") as folder:
        folder.write([TONE], "a")
        folder.write([TONE], "b/c")
        with pytest.raises(AudioError, match=r"A\.flac is already written"):
            folder.write([TONE], "A")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.flac", "b%2Fc.flac"]


def test_one_file_takes_one_sound_or_all(tmp_path):
    path = tmp_path / "out.wav"
    with OneFile(str(path), concat=False) as file:
        file.write([TONE], "1")
        with pytest.raises(AudioError, match="--concat"):
            file.write([TONE], "2")
    assert len(read_audio(path).samples) == 1600
    with OneFile(str(path), concat=True) as file:
        file.write([TONE], "1")
        file.write([TONE], "2")
    assert len(read_audio(path).samples) == 3200


def test_no_sound_at_all_is_an_error(tmp_path):
    with (
        pytest.raises(AudioError, match="no line to decode"),
        OneFile(str(tmp_path / "out.wav"), concat=True),
    ):
        pass
