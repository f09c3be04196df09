import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError, ManifestError
from spiritlm_cli.files import (
    atomic_path,
    is_stdout,
    open_atomic,
    read_bytes,
    reserve_stdout,
    standard_input,
    write_bytes,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_atomic_path_replaces_the_file_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"old")
    with atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".npz"
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["x.npz"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), ValueError()])
def test_atomic_path_keeps_the_old_file_if_the_block_raises(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "x").write_bytes(b"old")

    def fail() -> None:
        with atomic_path(tmp_path / "x") as temporary:
            temporary.write_bytes(b"new")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_atomic_path_without_a_file_raises_and_keeps_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x"):
        pass
    assert (tmp_path / "x").read_bytes() == b"old"


@pytest.mark.parametrize("suffix", ["", ".wav", ".tar.gz", "." + "y" * 200])
def test_atomic_path_takes_names_of_the_maximum_length(tmp_path: Path, suffix: str) -> None:
    name = "x" * (255 - len(suffix)) + suffix
    with atomic_path(tmp_path / name) as temporary:
        assert len(temporary.name) < 40
        temporary.write_bytes(b"new")
    assert names(tmp_path) == [name]


def test_atomic_path_follows_symbolic_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_atomic_path_refuses_folders(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_bytes(tmp_path, b"new")
    assert names(tmp_path) == []


def test_two_writers_of_one_file_do_not_share_a_temporary_file(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "x") as first, atomic_path(tmp_path / "x") as second:
        assert first != second
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert (tmp_path / "x").read_bytes() == b"first"


def test_open_atomic_writes_unbuffered(tmp_path: Path) -> None:
    with open_atomic(tmp_path / "x") as file:
        file.write(b"abc")
        (temporary,) = tmp_path.iterdir()
        assert temporary.read_bytes() == b"abc"
    assert (tmp_path / "x").read_bytes() == b"abc"


def test_files_are_created_with_the_permissions_of_the_umask(tmp_path: Path) -> None:
    write_bytes(tmp_path / "atomic", b"")
    (tmp_path / "plain").write_bytes(b"")
    atomic, plain = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("atomic", "plain"))
    assert atomic == plain


def test_write_text_creates_folders_and_keeps_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "x.txt", "é\r\n\n")
    assert (tmp_path / "a" / "b" / "x.txt").read_bytes() == "é\r\n\n".encode()


def test_read_bytes_raises_the_given_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert read_bytes(str(tmp_path / "x")) == b"abc"
    with pytest.raises(ManifestError, match=r"/none: no such file$"):
        read_bytes(tmp_path / "none")
    with pytest.raises(AudioError, match=r"can't be read \(Is a directory\)$"):
        read_bytes(tmp_path, AudioError)


def test_standard_input_in_a_thread_does_not_abort_the_interpreter() -> None:
    code = """
import threading
from spiritlm_cli.files import standard_input
started = threading.Event()
def read():
    stream = standard_input()
    print(stream.readline().decode(), end="", flush=True)
    started.set()
    stream.readline()
threading.Thread(target=read, daemon=True).start()
started.wait()
"""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as stdin, os.fdopen(reader, "rb") as pipe:
        stdin.write(b"one\n")
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=pipe, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\n", "")


def test_standard_input_of_a_replaced_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc")))
    assert standard_input().read() == b"abc"


NOISE = """
import ctypes, os
from spiritlm_cli.files import reserve_stdout
reserve_stdout()
print("data é")
ctypes.CDLL(None).puts(b"C")  # written when the process ends
os.system("echo child")
"""


def run_noise(redirection: str, code: str = NOISE) -> subprocess.CompletedProcess[bytes]:
    command = ["sh", "-c", f'"$0" -c "$1" {redirection}', sys.executable, code]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    return subprocess.run(command, capture_output=True, env=environment, check=False)


def test_reserve_stdout_keeps_what_other_code_prints_out_of_the_data() -> None:
    done = run_noise("")
    assert (done.returncode, done.stdout) == (0, "data é\n".encode("latin-1"))
    assert sorted(done.stderr.splitlines()) == [b"C", b"child"]


@pytest.mark.parametrize(
    ("redirection", "stdout"), [("2>&-", b"data \xe9\n"), (">&-", b""), (">&- 2>&-", b"")]
)
def test_reserve_stdout_with_closed_streams(redirection: str, stdout: bytes) -> None:
    done = run_noise(redirection)
    assert (done.returncode, done.stdout) == (0, stdout)


def test_reserve_stdout_leaves_a_file_open_that_took_the_descriptor_of_a_closed_one(tmp_path: Path) -> None:
    code = NOISE + f"open({str(tmp_path / 'x')!r}, 'w').write('content')\nos.system('echo child')"
    run_noise(">&-", code)
    assert (tmp_path / "x").read_text() == "content"


def test_reserve_stdout_leaves_a_replaced_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced = io.StringIO()
    monkeypatch.setattr(sys, "stdout", replaced)
    reserve_stdout()
    assert sys.stdout is replaced


def test_is_stdout() -> None:
    assert all(map(is_stdout, ("-", Path("-"), "/dev/stdout", Path("/dev/fd/1"))))
    assert not any(map(is_stdout, ("", "stdout", "/dev/stderr", "/dev/fd/11")))
