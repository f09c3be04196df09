import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.errors import CheckpointError, MissingPackageError
from spiritlm_cli.evaluation.metrics import word_errors
from spiritlm_cli.evaluation.recognizer import Recognizer, find_model
from spiritlm_cli.manifests.clip import Waveform

SAID = (
    "and a strip of cow skin for a belt to hold it in I could show you where to get something, he said at "
    "last. Well, show me, cried Robin."
)


@pytest.fixture(scope="module")
def recording(recording_file: Path) -> Waveform:
    samples, rate = soundfile.read(recording_file, dtype="float32")
    return Waveform(samples, rate)


def test_it_hears_what_is_said(whisper: Recognizer, recording: Waveform) -> None:
    heard = whisper.transcribe(recording)
    assert word_errors(SAID, heard).rate <= 0.1
    assert whisper.transcribe(recording) == heard


def test_any_rate(whisper: Recognizer, recording: Waveform) -> None:
    halved = Waveform(recording.samples[::2].copy(), recording.rate // 2)
    assert word_errors(SAID, whisper.transcribe(halved)).rate <= 0.2


def test_all_of_a_long_recording(whisper: Recognizer, recording: Waveform) -> None:
    long = Waveform(np.tile(recording.samples, 5), recording.rate)
    assert long.seconds > 40
    assert word_errors(" ".join([SAID] * 5), whisper.transcribe(long)).rate <= 0.1


def test_no_samples_no_words(whisper: Recognizer) -> None:
    assert whisper.transcribe(Waveform(np.zeros(0, dtype=np.float32), 16_000)) == ""


@pytest.mark.skipif(importlib.util.find_spec("faster_whisper") is None, reason="needs faster-whisper")
def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no model\.bin"):
        Recognizer.load(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"not a model")
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        Recognizer.load(tmp_path)
    with pytest.raises(CheckpointError, match="no-such-model"):
        Recognizer.load("no-such-model")


@pytest.mark.skipif(importlib.util.find_spec("faster_whisper") is None, reason="needs faster-whisper")
def test_a_model_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def download_model(name: str, revision: str | None) -> str:
        raise FileNotFoundError("Got: ConnectError: no address\nmore")

    monkeypatch.setattr("faster_whisper.download_model", download_model)
    message = r"recognizer base\.en: can't be downloaded \(ConnectError: no address\); check the network"
    with pytest.raises(CheckpointError, match=message):
        find_model("base.en")


def test_without_faster_whisper_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'spiritlm\[evaluate\]'"):
        Recognizer.load("tiny.en")
