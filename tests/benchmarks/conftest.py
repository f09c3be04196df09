"""A corpus in the layout that benchmarks/nano reads, of four short clips."""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import soundfile

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SENTENCES = (BENCHMARKS / "nano" / "sentences.txt").read_text().splitlines()


def load_script(path: str) -> ModuleType:
    """A script of benchmarks/ as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, BENCHMARKS / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script() -> Callable[[str], ModuleType]:
    return load_script


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Clips 1 and 2 of the new sentences as synthetic ones, 3 and 4 as recordings of two people."""
    root = tmp_path / "speech"
    (root / "kokoro").mkdir(parents=True)
    (root / "librispeech").mkdir()
    rows = ["id\tvoice\tspeed\tsamples\ttext\twer\n"]
    transcripts = []
    for number in range(1, 5):
        (clip,) = (BENCHMARKS / "nano" / "clips").glob(f"*-new{number:02d}.opus")
        voice = clip.name.split("-")[0]
        if number < 3:
            shutil.copy(clip, root / "kokoro" / f"{voice}-{number}.opus")
            rows.append(f"{voice}-{number}\t{voice}\t1\t0\t{SENTENCES[number - 1]}\t0\n")
        else:
            samples, rate = soundfile.read(clip)
            soundfile.write(root / "librispeech" / f"{number}-1-1.flac", samples, rate)
            transcripts.append(f"{number}-1-1\t{SENTENCES[number - 1]}\n")
    (root / "kokoro" / "metadata.tsv").write_text("".join(rows))
    (root / "librispeech" / "transcripts.tsv").write_text("".join(transcripts))
    return root
