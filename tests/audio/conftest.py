from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.audio.clip import FloatArray


@pytest.fixture(scope="session")
def recording() -> Path:
    """Nine seconds of read English, 146,160 samples at 16 kHz."""
    return Path(str(resources.files("spiritlm_cli") / "assets" / "7143-88743-0029.flac"))


@pytest.fixture(scope="session")
def samples(recording: Path) -> FloatArray:
    found, _ = soundfile.read(recording, dtype="float32")
    return np.asarray(found, dtype=np.float32)
