"""With Ray where it is installed; what is said where it is not, always."""

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

from spiritlm_cli.distributed import Loading, encode_on_ray
from spiritlm_cli.errors import MissingPackageError, SpiritLMError
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.units import Units

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'spiritlm[ray]'"
)


@pytest.fixture
def folder(tmp_path: Path, recording_file: Path) -> Path:
    """Five sounds of half a second to two, a.wav to e.wav, and one that is none, c0.wav."""
    samples, rate = soundfile.read(recording_file, dtype="int16")
    for number, name in enumerate("abcde", 1):
        soundfile.write(tmp_path / f"{name}.wav", samples[: number * 6400], rate)
    (tmp_path / "c0.wav").write_text("not sound\n")
    return tmp_path


@pytest.fixture
def command(release_tree: Path) -> list[str]:
    """`spiritlm tokenize` in a process of its own, on the stand-in."""
    spiritlm = [sys.executable, "-m", "spiritlm_cli"]
    return [*spiritlm, "tokenize", "--model", str(release_tree), "--device", "cpu"]


def run(command: list[str], *arguments: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*command, *arguments], cwd=folder, capture_output=True, check=False, timeout=300)


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'spiritlm\[ray\]'"):
        encode_on_ray([], "local", loading=Loading())


@needs_ray
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ray://here:10001", "starts from a machine of the cluster"),
        ("here", "address is host:port"),
        ("127.0.0.1:1", "no Ray cluster there"),
    ],
)
def test_what_is_no_address(address: str, reason: str) -> None:
    with pytest.raises(SpiritLMError, match=reason):
        next(encode_on_ray([], address, loading=Loading()))


@needs_ray
def test_lines_and_errors_are_those_of_one_process(command: list[str], folder: Path) -> None:
    arguments = ["--on-error", "skip", *sorted(path.name for path in folder.iterdir()), "missing.wav"]
    plain = run(command, *arguments, folder=folder)
    spread = run(command, *arguments, "--ray", "local", folder=folder)
    assert spread.stdout == plain.stdout
    assert [line.split(b"\t")[0] for line in spread.stdout.splitlines()] == [
        b"a", b"b", b"c", b"c0", b"d", b"e", b"missing",
    ]  # fmt: skip
    assert plain.returncode == spread.returncode == 1
    # the last line says how long it took
    assert spread.stderr.splitlines()[:-1] == plain.stderr.splitlines()[:-1]


@needs_ray
def test_an_error_that_is_no_clip_s_ends_it(command: list[str], folder: Path) -> None:
    arguments = ["--on-error", "skip", "--dtype", "float16", "a.wav", "b.wav"]
    plain = run(command, *arguments, folder=folder)
    spread = run(command, *arguments, "--ray", "local", folder=folder)
    assert (spread.returncode, spread.stdout, spread.stderr) == (1, b"", plain.stderr)
    assert b"float16 needs a GPU" in spread.stderr


@needs_ray
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the worker in /proc")
def test_a_worker_that_is_killed_is_made_up_for(command: list[str], folder: Path) -> None:
    names = ["a.wav", "b.wav", "pipe.wav", "c.wav", "d.wav"]
    sound, pipe = folder / "e.wav", folder / "pipe.wav"
    shutil.copy(sound, pipe)
    expected = run(command, *names, folder=folder).stdout
    pipe.unlink()
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [*command, *names, "--ray", "local"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    # A pipe can be opened so when there is one who reads, or waits to: then the worker is at it.
    writer = opened(pipe)
    (worker,) = readers(pipe)
    os.kill(worker, signal.SIGKILL)
    wait_for_end(worker)
    os.close(writer)
    writer = opened(pipe)
    with os.fdopen(writer, "wb") as stream:
        stream.write(sound.read_bytes())
    found, said = process.communicate(timeout=300)
    assert (process.returncode, found) == (0, expected)
    assert b"a worker was lost; the clips from pipe on were begun again" in said


def opened(pipe: Path, seconds: float = 120) -> int:
    """The writing end of a pipe, when it is being read."""
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(os.open, pipe, os.O_WRONLY)
        try:
            return writer.result(seconds)
        except TimeoutError:
            # somebody who reads, so that the thread ends
            os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
            raise


def wait_for_end(process: int, seconds: float = 120) -> None:
    """Until then it holds its files, though they can't be seen any more."""
    with suppress(ProcessLookupError), os.fdopen(os.pidfd_open(process), closefd=True) as ended:
        assert select.select([ended], [], [], seconds)[0], "it has not ended"


def readers(pipe: Path) -> set[int]:
    """The processes that have it open, but this one."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == pipe:
                found.add(int(link.parts[2]))
        except OSError:
            continue
    return found - {os.getpid()}


@pytest.fixture
def ray_of_eight() -> Iterator[None]:
    """A program that is connected already, to what has eight CPUs."""
    import ray

    ray.init("local", num_cpus=8, include_dashboard=False, log_to_driver=False)
    yield
    assert ray.is_initialized()
    ray.shutdown()


@needs_ray
@pytest.mark.usefixtures("ray_of_eight")
def test_several_workers_give_units_in_order(folder: Path, release_tree: Path) -> None:
    loading = Loading(str(release_tree))
    clips = [
        Clip(f"{name}{number}", folder / f"{name}.wav", end=number / 10)
        for number in range(1, 9)
        for name in "eadb"
    ]
    clips.insert(9, Clip("missing", folder / "missing.wav", text="words"))
    tokenizer = SpeechTokenizer.load(str(release_tree), device="cpu")
    assert told(encode_on_ray(iter(clips), "auto", loading=loading)) == told(tokenizer.encode_stream(clips))


def told(encoded: Iterator[tuple[Clip | BadClip, Iterator[Units]]]) -> list[tuple[Clip | BadClip, object]]:
    """Each clip with its streams, or the kind of error and what it says."""
    found: list[tuple[Clip | BadClip, object]] = []
    for clip, heard in encoded:
        try:
            units = heard.result()
        except SpiritLMError as error:
            found.append((clip, (type(error), str(error))))
        else:
            streams = (units.hubert, units.pitch, units.style)
            found.append((clip, [stream.tolist() for stream in streams if stream is not None]))
    return found
