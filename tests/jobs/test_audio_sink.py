import errno
import os
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError
from spiritlm_cli.jobs.audio_sink import FileSink, FolderSink
from spiritlm_cli.jobs.folder import OutputFolder
from spiritlm_cli.manifests.clip import Waveform

TONE = Waveform(np.full(1600, 0.5, dtype=np.float32), 16000)


def test_folder_sink_writes_a_file_for_each_id(tmp_path: Path) -> None:
    with FolderSink(OutputFolder(tmp_path, ".flac", None, resume=False)) as sink:
        sink.write([TONE], "a")
        sink.write([TONE], "b/c")
        with pytest.raises(AudioError, match=r"A\.flac is already written"):
            sink.write([TONE], "A")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.flac", "b%2Fc.flac"]


def test_file_sink_takes_one_sequence_or_concatenates(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    with FileSink(str(path), concat=False) as sink:
        sink.write([TONE], "1")
        with pytest.raises(AudioError, match="--concat"):
            sink.write([TONE], "2")
    assert len(read_audio(path).samples) == 1600
    with FileSink(str(path), concat=True) as sink:
        sink.write([TONE], "1")
        sink.write([TONE], "2")
    assert len(read_audio(path).samples) == 3200


def test_file_sink_without_a_sequence_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(AudioError, match="no line to decode"),
        FileSink(str(tmp_path / "out.wav"), concat=True),
    ):
        pass


def test_a_full_disk_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sink = FolderSink(OutputFolder(tmp_path, ".wav", None, resume=False))
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/a\.wav'"), sink:
        sink.write([TONE], "a")
    assert list(tmp_path.iterdir()) == []
    with sink, pytest.raises(AudioError, match="File name too long"):
        sink.write([TONE], "a" * 300)
