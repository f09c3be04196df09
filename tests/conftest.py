"""What tests in every room share."""

import gc
import io
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from preloaded import serve

import spiritlm_cli
from spiritlm_cli import console
from spiritlm_cli.console import log

# The process that distributes the tests to others loads this file too: only fixtures import torch.
if TYPE_CHECKING:
    from spiritlm_cli.manifests.clip import Waveform

DATA = Path(__file__).parent / "data"
ENCODERS = ("hubert_25hz", "vqvae_f0_quantizer", "style_encoder_w2v2")  # folders of speech_tokenizer/


# Commands that the tests start can be interrupted, also if a shell runs the tests in the background and ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Threads of networks this small wait for each other longer than they compute, most of all beside other processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# By default oneDNN keeps 1024 compiled kernels, those of the stand-in's vocoder for ten lengths.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")


# Folder of the programs that all processes of the tests share.
SHARED_PROGRAMS = "SPIRITLM_TEST_PROGRAMS"


def pytest_configure(config: pytest.Config) -> None:
    """Lets an example of hypothesis take any time, and starts the server of `programs`.

    The server is started in the process that distributes the tests, for all that run them, which are forks of it.
    """
    if not config.getoption("numprocesses", None):
        from hypothesis import settings

        settings.register_profile("untimed", settings(), deadline=None)
        if config.getoption("hypothesis_profile", None) is None:
            settings.load_profile("untimed")
    elif hasattr(os, "pidfd_open"):  # on Linux
        stack = ExitStack()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        programs = stack.enter_context(serve(folder))
        os.environ[SHARED_PROGRAMS] = str(programs)
        config.option.tx = [f"popen//python={programs}/python-for-tests" for _ in config.option.tx]
        config.add_cleanup(stack.close)


def pytest_collection_finish() -> None:
    """Excludes all modules and tests from garbage collection, which would otherwise visit them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logger() -> Iterator[None]:
    """Leaves the package's logger as it was: commands that run in the process of the tests set it up."""
    handlers, level, propagate, disabled = log.handlers[:], log.level, log.propagate, log.disabled
    yield
    log.handlers[:], log.propagate, log.disabled = handlers, propagate, disabled
    log.setLevel(level)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of token cases and of what the published implementation answers."""
    return DATA


@pytest.fixture(scope="session")
def recording_file() -> Path:
    """Nine seconds of LibriSpeech: the recording in the package."""
    return Path(spiritlm_cli.__file__).parent / "assets" / "7143-88743-0029.flac"


@pytest.fixture(scope="session")
def release_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for the release's checkpoints, tiny, with random weights. Not to be written to."""
    from release_tree import write_release_tree

    root = tmp_path_factory.mktemp("release")
    write_release_tree(root)
    return root


@pytest.fixture(scope="session")
def shallow_vocoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of vocoders with few layers, for many lengths: oneDNN compiles each layer anew for each length."""
    from release_tree import write_shallow_vocoders

    root = tmp_path_factory.mktemp("vocoders")
    write_shallow_vocoders(root)
    return root


@pytest.fixture(scope="session")
def small_release(
    release_tree: Path, shallow_vocoders: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The release's stand-in with vocoders of few layers and language models of few tokens. Not to be written to."""
    import release_tree as stand_in

    root = tmp_path_factory.mktemp("small_release")
    (root / "speech_tokenizer").mkdir()
    for name in ENCODERS:
        (root / "speech_tokenizer" / name).symlink_to(release_tree / "speech_tokenizer" / name)
    for folder in (shallow_vocoders / "speech_tokenizer").iterdir():
        (root / "speech_tokenizer" / folder.name).symlink_to(folder)
    stand_in.write_language_models(root, text_pieces=600)
    return root


@pytest.fixture(scope="session")
def twist_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for TWIST's tokenizer and vocoder, tiny, with random weights. Not to be written to."""
    from open_models import write_twist

    root = tmp_path_factory.mktemp("open") / "twist"
    write_twist(root)
    return root


@pytest.fixture(scope="session")
def open_language_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins of slamkit's language models and their text tokenizers, each a folder. Not to be written to."""
    from open_models import write_language_models

    root = tmp_path_factory.mktemp("open_language_models")
    write_language_models(root)
    return root


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of `spiritlm` and `python`, which start without importing torch each time.

    In `python` transformers is not imported.
    """
    if SHARED_PROGRAMS in os.environ:
        yield Path(os.environ[SHARED_PROGRAMS])
        return
    if not hasattr(os, "pidfd_open"):  # not Linux
        yield Path(sys.executable).parent
        return
    with serve(tmp_path_factory.mktemp("programs")) as folder:
        yield folder


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Sets torch to one thread, for the tests that compare bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def golden(data: Path) -> dict[str, dict[str, object]]:
    """clip: first_sample, last_sample, units (by stream, as text), expressive and base lines."""
    return json.loads((data / "speech_tokens.json").read_text())


@pytest.fixture(scope="session")
def clips(recording_file: Path, golden: dict) -> dict[str, "Waveform"]:
    import soundfile

    from spiritlm_cli.manifests.clip import Waveform

    samples, rate = soundfile.read(recording_file, dtype="float32")
    return {
        name: Waveform(samples[clip["first_sample"] : clip["last_sample"]], rate)
        for name, clip in golden.items()
    }


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Makes stderr a terminal of 120 columns, and stdout no pipe. Call it to get what was written to stderr."""
    # Of the class, as pytest replaces the stream before it calls the test.
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: True)
    monkeypatch.setattr(sys, "__stdout__", io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    console.set_up()
    return lambda: capsys.readouterr().err


@pytest.fixture
def tree(release_tree: Path, tmp_path: Path) -> Path:
    """A copy of the stand-in's speech part that a test may spoil."""
    shutil.copytree(release_tree / "speech_tokenizer", tmp_path / "speech_tokenizer")
    return tmp_path
