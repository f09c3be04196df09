"""The recording, and what the published implementation makes of it on the stand-in checkpoint."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import torch

from spiritlm_cli.audio.clip import Waveform

CLIPS = ("whole", "short", "medium")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def golden(data: Path) -> dict[str, dict[str, object]]:
    """clip: first_sample, last_sample, units (by stream, as text), expressive and base lines."""
    return json.loads((data / "speech_tokens.json").read_text())


@pytest.fixture(scope="session")
def clips(recording_file: Path, golden: dict) -> dict[str, Waveform]:
    samples, rate = soundfile.read(recording_file, dtype="float32")
    return {
        name: Waveform(samples[clip["first_sample"] : clip["last_sample"]], rate)
        for name, clip in golden.items()
    }


@pytest.fixture
def tree(release_tree: Path, tmp_path: Path) -> Path:
    """A copy of the stand-in's speech part that a test may spoil."""
    shutil.copytree(release_tree / "speech_tokenizer", tmp_path / "speech_tokenizer")
    return tmp_path
