"""How commands are run in tests: in this process, on the release's stand-in."""

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner, Result

from spiritlm_cli.cli.main import app

Run = Callable[..., Result]


@pytest.fixture
def spiritlm() -> Run:
    """Run `spiritlm` with these arguments and this on stdin; exceptions that are not handled are raised."""

    def run(*arguments: str | Path, stdin: str | bytes = b"") -> Result:
        return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin, catch_exceptions=False)

    return run


@pytest.fixture
def model(release_tree: Path) -> tuple[str, Path]:
    """The options that name the stand-in."""
    return ("--model", release_tree)


@pytest.fixture(scope="session")
def recording(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of speech: the stretch that `short` in speech_tokens.json answers."""
    samples, rate = soundfile.read(recording_file, dtype="int16")
    path = tmp_path_factory.mktemp("sound") / "short.wav"
    soundfile.write(path, samples[16000:25293], rate)
    return path
