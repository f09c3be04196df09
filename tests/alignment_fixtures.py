"""A recording of a reader, the default aligner, and the units of the published tokenizer for the recording."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.tokens.units import Units


@pytest.fixture(scope="session")
def recording(recording_file: Path) -> Waveform:
    samples, rate = soundfile.read(recording_file, dtype="float32")
    return Waveform(samples, rate)


@pytest.fixture(scope="session")
def published_units(data: Path) -> Units:
    streams = json.loads((data / "published_tokens.json").read_text())["units"]
    return Units(**{name: np.array(ids.split(), dtype=np.int64) for name, ids in streams.items()})


@pytest.fixture(scope="session")
def aligner() -> PocketsphinxAligner:
    return PocketsphinxAligner()
