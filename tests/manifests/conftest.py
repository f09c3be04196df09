from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.manifests.clip import FloatArray


@pytest.fixture(scope="session")
def samples(recording_file: Path) -> FloatArray:
    samples, _ = soundfile.read(recording_file, dtype="float32")
    return np.asarray(samples, dtype=np.float32)
