"""The options of a small model, half a second of speech, and token lines."""

from pathlib import Path

import pytest
import soundfile


@pytest.fixture
def small(small_release: Path) -> dict[str, str]:
    """The options that name the stand-in checkpoint, on the CPU."""
    return {"model": str(small_release), "device": "cpu"}


@pytest.fixture(scope="session")
def short(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of speech."""
    samples, rate = soundfile.read(recording_file, dtype="int16")
    path = tmp_path_factory.mktemp("audio") / "short.wav"
    soundfile.write(path, samples[16000:24000], rate)
    return path


@pytest.fixture
def manifest(short: Path, recording_file: Path, tmp_path: Path) -> Path:
    """Two clips, with a bad row between them."""
    path = tmp_path / "clips.tsv"
    path.write_text(
        f"id\taudio\tend\ttext\na\t{recording_file}\t3\tand a strip of cow skin for a belt to hold it in.\n"
        f"bad\tgone.wav\t\thello\nb\t{recording_file}\t3\tand a strip of cow skin for a belt to hold it in.\n"
    )
    return path


@pytest.fixture
def mixed_lines(tmp_path: Path) -> str:
    """A file of three token lines: speech, one that can't be read, and text."""
    path = tmp_path / "lines.txt"
    path.write_bytes(b"a\t[SPEECH][St1][Pi1][Hu1][Pi2][Hu2][Pi3][Hu3]\nb\t\xff\nc\t[TEXT]the cat\n")
    return str(path)
