"""How commands are run in tests: in this process, on the release's stand-in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner, Result

from spiritlm_cli.cli.main import app
from spiritlm_cli.jobs.output import LineWriter

Run = Callable[..., Result]


@pytest.fixture
def spiritlm() -> Run:
    """Run `spiritlm` with these arguments and this on stdin; exceptions that are not handled are raised."""

    def run(*arguments: str | Path, stdin: str | bytes = b"") -> Result:
        return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin, catch_exceptions=False)

    return run


@pytest.fixture
def model(small_release: Path) -> tuple[str, Path]:
    """The options that name the stand-in."""
    return ("--model", small_release)


@pytest.fixture(scope="session")
def recording(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of speech: the stretch that `short` in speech_tokens.json answers."""
    samples, rate = soundfile.read(recording_file, dtype="int16")
    path = tmp_path_factory.mktemp("sound") / "short.wav"
    soundfile.write(path, samples[16000:25293], rate)
    return path


@dataclass(frozen=True)
class CrashStates:
    """The files of a run as a `kill -9` would leave them, after each write to its output."""

    output: Path
    states: list[dict[Path, bytes]] = field(default_factory=list)

    @property
    def _files(self) -> tuple[Path, ...]:
        return tuple(self.output.with_name(f"{self.output.name}{end}") for end in (".part", ".part.json"))

    def record(self) -> None:
        """Keep the files as they are now, with what lies beside them."""
        self.states.append(
            {path: path.read_bytes() for path in self.output.parent.iterdir() if path.is_file()}
        )

    def restore(self, state: dict[Path, bytes]) -> None:
        """Bring back the files of a state, without a finished output."""
        for path in (self.output, *self._files):
            path.unlink(missing_ok=True)
        for path, content in state.items():
            path.write_bytes(content)


@pytest.fixture
def crash_states(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], CrashStates]:
    """Make CrashStates of an output, which record while commands run in this process."""

    def begin(output: Path) -> CrashStates:
        crashes = CrashStates(output)
        write = LineWriter.write_part

        def write_and_record(writer: LineWriter, text: str) -> None:
            write(writer, text)
            crashes.record()

        monkeypatch.setattr(LineWriter, "write_part", write_and_record)
        return crashes

    return begin
