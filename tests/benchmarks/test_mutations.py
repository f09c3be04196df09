import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from spiritlm_cli.errors import ManifestError


def test_readers_raise_nothing_but_their_errors(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    mutations = script("mutations.py")
    for number, reader in enumerate(mutations.READERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        results = mutations.try_reader(reader, range(100), folder)
        assert (reader.name, results.inputs, results.untyped) == (reader.name, 100, [])


def test_a_crash_of_the_process_is_one_result(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    mutations = script("mutations.py")

    def read(path: Path) -> None:
        content = path.read_bytes()
        if b"a" not in content:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"b" not in content:
            raise KeyError("b")
        if b"c" not in content:
            raise ManifestError("no c")

    reader = mutations.Reader("letters", "letters", (b"abcd",), read)
    results = mutations.try_in_processes(reader, range(60), tmp_path)
    assert results.inputs == 60 == results.accepted + results.refused["ManifestError"] + len(results.untyped)
    assert {kind.split(" at ")[0] for _, kind in results.untyped} == {
        "the process ended with status -9",
        "KeyError",
    }
    number = next(number for number, kind in results.untyped if "KeyError" in kind)
    assert (
        mutations.try_reader(reader, range(number, number + 1), tmp_path)
        .untyped[0][1]
        .startswith("KeyError at ")
    )
