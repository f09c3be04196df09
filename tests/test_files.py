import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError, ManifestError
from spiritlm_cli.files import (
    atomic_path,
    open_atomic,
    read_bytes,
    read_limited,
    remove_leftovers,
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


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    (tmp_path / "x").touch()
    (tmp_path / "x").chmod(mode)
    with atomic_path(tmp_path / "x") as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode


def test_atomic_path_syncs_the_file_and_then_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def fsync(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), (tmp_path / "x").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_bytes(tmp_path / "x", b"new")
    assert synced == [(False, False), (True, True)]


def test_leftovers_of_ended_processes_are_removed(tmp_path: Path) -> None:
    code = "import os\nfrom spiritlm_cli.files import *\nwith atomic_path(Path('killed.wav')): os._exit(1)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    (leftover,) = names(tmp_path)
    (tmp_path / ".tmp-other").touch()
    (tmp_path / (leftover[:-5] + "x")).symlink_to(".tmp-other")
    with atomic_path(tmp_path / "x") as temporary:
        remove_leftovers(tmp_path)
        assert temporary.exists()
    assert names(tmp_path) == sorted([leftover[:-5] + "x", ".tmp-other", "x"])
    remove_leftovers(tmp_path / "gone")


def test_an_error_without_a_name_gets_that_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space left on device: '.*/x'"), atomic_path(tmp_path / "x"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileNotFoundError, match=r"directory: '.*/gone/x'"), atomic_path(tmp_path / "gone/x"):
        pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (os.mkfifo, "not an ordinary file"),
        (lambda path: path.symlink_to("/dev/null"), "not an ordinary file"),
    ],
)
def test_atomic_path_refuses_what_is_no_file(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "x")
    with pytest.raises(OSError, match=rf"{message}.*/x'"):
        write_bytes(tmp_path / "x", b"new")
    assert names(tmp_path) == ["x"]


def test_a_signal_removes_the_temporary_file(tmp_path: Path) -> None:
    code = (
        "import os\nfrom spiritlm_cli.files import *\nfrom spiritlm_cli.signals import end_on_signals\n"
        "end_on_signals()\nwith atomic_path(Path('x')): os.kill(os.getpid(), 15)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 143
    assert names(tmp_path) == []


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


def test_read_limited_reads_small_regular_files_only(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert read_limited(tmp_path / "x", 3, AudioError) == b"abc"
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (
        ("x", "is larger than 2e-06 MB"),
        ("none", "missing"),
        ("x/y", "missing"),
        ("pipe", "is a pipe or a device, expected a regular file"),
        (".", "is a folder, expected a regular file"),
    ):
        with pytest.raises(AudioError, match=reason):
            read_limited(tmp_path / name, 2, AudioError)
