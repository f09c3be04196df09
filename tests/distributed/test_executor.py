"""Ray runs where it is installed; the error that names the extra is tested everywhere."""

import importlib.util
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import soundfile

from spiritlm_cli.distributed import ClusterJob, compute_on_cluster
from spiritlm_cli.distributed.messages import CLIPS
from spiritlm_cli.errors import MissingPackageError, SpiritLMError
from spiritlm_cli.jobs.codecs import RESULTS
from spiritlm_cli.jobs.executor import computed
from spiritlm_cli.jobs.failures import name_of
from spiritlm_cli.jobs.output import Result
from spiritlm_cli.jobs.tokenize import TokenizeCompute, TokenizeOptions
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.outcome import Outcome

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'spiritlm[ray]'"
)


@pytest.fixture
def folder(tmp_path: Path, recording_file: Path) -> Path:
    """Five recordings of 0.4 to 2 s, a.wav to e.wav, and a file that is not audio, c0.wav."""
    samples, rate = soundfile.read(recording_file, dtype="int16")
    for count, name in enumerate("abcde", 1):
        soundfile.write(tmp_path / f"{name}.wav", samples[: count * 6400], rate)
    (tmp_path / "c0.wav").write_text("not sound\n")
    return tmp_path


@pytest.fixture
def command(release_tree: Path) -> list[str]:
    """`spiritlm tokenize` in a process of its own, with the tiny release tree."""
    spiritlm = [sys.executable, "-m", "spiritlm_cli"]
    return [*spiritlm, "tokenize", "--model", str(release_tree), "--device", "cpu"]


def run(command: list[str], *arguments: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, check=False, timeout=300)


def job() -> ClusterJob:
    """A job that is not run."""
    return ClusterJob(lambda pool: TokenizeCompute(TokenizeOptions()), CLIPS, RESULTS, name_of)


def test_missing_ray_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'spiritlm\[ray\]'"):
        compute_on_cluster([], "local", job())


@needs_ray
def test_lines_and_errors_equal_those_of_one_process(command: list[str], folder: Path) -> None:
    arguments = ["--on-error", "skip", *sorted(path.name for path in folder.iterdir()), "missing.wav"]
    plain = run(command, *arguments, folder=folder)
    spread = run(command, *arguments, "--ray", "local", folder=folder)
    assert spread.stdout == plain.stdout
    assert [line.split(b"\t")[0] for line in spread.stdout.splitlines()] == [
        b"a", b"b", b"c", b"c0", b"d", b"e", b"missing",
    ]  # fmt: skip
    assert plain.returncode == spread.returncode == 1
    # the last line has the duration of the run
    assert spread.stderr.splitlines()[:-1] == plain.stderr.splitlines()[:-1]


@needs_ray
def test_load_error_ends_the_run(command: list[str], folder: Path) -> None:
    arguments = ["--on-error", "skip", "--dtype", "float16", "a.wav", "b.wav"]
    plain = run(command, *arguments, folder=folder)
    spread = run(command, *arguments, "--ray", "local", folder=folder)
    assert (spread.returncode, spread.stdout, spread.stderr) == (1, b"", plain.stderr)
    assert b"float16 needs a GPU" in spread.stderr


@needs_ray
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the worker in /proc")
def test_killed_worker_is_replaced(command: list[str], folder: Path) -> None:
    names = ["a.wav", "b.wav", "pipe.wav", "c.wav", "d.wav"]
    audio, pipe = folder / "e.wav", folder / "pipe.wav"
    shutil.copy(audio, pipe)
    expected = run(command, *names, folder=folder).stdout
    pipe.unlink()
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [*command, *names, "--ray", "local"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    # A pipe can be opened for writing once the worker opens it for reading.
    writer = opened(pipe)
    (worker,) = readers(pipe)
    os.kill(worker, signal.SIGKILL)
    wait_for_end(worker)
    os.close(writer)
    writer = opened(pipe)
    with os.fdopen(writer, "wb") as stream:
        stream.write(audio.read_bytes())
    stdout, stderr = process.communicate(timeout=300)
    assert (process.returncode, stdout) == (0, expected)
    assert b"a worker was lost; the inputs from pipe on are computed again" in stderr


def opened(pipe: Path, seconds: float = 120) -> int:
    """Open a pipe for writing; waits until a process reads it."""
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(os.open, pipe, os.O_WRONLY)
        try:
            return writer.result(seconds)
        except TimeoutError:
            # a reader, so that the thread ends
            os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
            raise


def wait_for_end(process: int, seconds: float = 120) -> None:
    """Wait for a killed process, which keeps its files open until it has ended."""
    with suppress(ProcessLookupError), os.fdopen(os.pidfd_open(process), closefd=True) as ended:
        assert select.select([ended], [], [], seconds)[0], "the process has not ended"


def readers(pipe: Path) -> set[int]:
    """The other processes that have a pipe open."""
    processes = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == pipe:
                processes.add(int(link.parts[2]))
        except OSError:
            continue
    return processes - {os.getpid()}


@pytest.fixture
def eight_cpus() -> Iterator[None]:
    """Connect this process to a cluster of eight CPUs."""
    import ray

    ray.init("local", num_cpus=8, include_dashboard=False, log_to_driver=False)
    yield
    assert ray.is_initialized()
    ray.shutdown()


@needs_ray
@pytest.mark.usefixtures("eight_cpus")
def test_results_of_several_workers_are_in_order(folder: Path, release_tree: Path) -> None:
    compute = TokenizeCompute(TokenizeOptions(model=str(release_tree), device="cpu"))
    clips = [
        Clip(f"{name}{tenths}", folder / f"{name}.wav", end=tenths / 10)
        for tenths in range(1, 9)
        for name in "eadb"
    ]
    clips.insert(9, Clip("missing", folder / "missing.wav", text="words"))

    def results(ray: str | None) -> list[tuple[object, object]]:
        return [(clip, result_or_error(outcome)) for clip, outcome in computed(compute, iter(clips), ray)]

    assert results("auto") == results(None)


def result_or_error(outcome: Outcome[Result]) -> object:
    """The result, or the type of the error and its message."""
    try:
        return outcome.result()
    except SpiritLMError as error:
        return type(error), str(error)
