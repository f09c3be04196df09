"""Files: atomic writes, and reads with typed errors."""

import errno
import fcntl
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spiritlm_cli.errors import ManifestError, SpiritLMError
from spiritlm_cli.signals import on_signal

# A temporary file. It has the suffix of the file that it becomes, because some writers choose the format by it.
_TEMPORARY = re.compile(r"\.tmp-spiritlm-[0-9a-f]{8}(\..*)?")
_MAX_SUFFIX = 16

# Errors of one file, by its name or its size: others can be written to the same folder.
_OF_ONE_FILE = (
    errno.ENAMETOOLONG,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.EFBIG,
)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give the path of an empty temporary file that replaces `path` when the block ends without an error.

    The temporary file is in the folder of `path` and has its suffix. Its name is short and independent of the name of
    `path`, so a name of the maximum length can be written too. It has the permissions of the file that it replaces. It
    is on the disk, with its content, when the block ends. If the block raises, or a signal ends the process, the
    temporary file is removed and `path` is unchanged. If `path` is a symbolic link, its target is replaced. Folders
    that are missing are not created.
    Raises IsADirectoryError if `path` is a folder, and OSError, with the name of `path`, if it can't be written or is
    not an ordinary file.
    """
    target = resolve_file(path)
    with naming(path):
        temporary, descriptor = _create_temporary(target)
        try:
            with on_signal(lambda: temporary.unlink(missing_ok=True)):
                try:
                    yield temporary
                    os.fsync(descriptor)
                    temporary.replace(target)
                except BaseException:
                    temporary.unlink(missing_ok=True)
                    raise
            sync_folder(target.parent)
        finally:
            os.close(descriptor)


@contextmanager
def open_atomic(path: Path) -> Iterator[io.FileIO]:
    """Open a new, unbuffered file that replaces `path` when the block ends without an error; see `atomic_path`."""
    with atomic_path(path) as temporary, temporary.open("r+b", buffering=0) as file:
        yield file


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files in a folder whose processes ended without removing them."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    descriptor = os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
                    try:
                        # A process that writes it holds the lock.
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        Path(entry.path).unlink()
                    finally:
                        os.close(descriptor)


def resolve_file(path: Path) -> Path:
    """The path of a file without symbolic links, which exists as an ordinary file or does not exist.

    Raises IsADirectoryError for a folder, and OSError for a device, a named pipe and links that lead in a circle.
    """
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not an ordinary file, so it can't be replaced", str(path))
    return Path(os.path.realpath(path))


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Give the OSErrors of a block the name of the file that is written; a full disk, for instance, has none."""
    try:
        yield
    except OSError as error:
        if error.filename is None or _TEMPORARY.fullmatch(Path(os.fsdecode(error.filename)).name):
            error.filename = str(path)
        raise


def concerns_one_file(error: OSError) -> bool:
    """Whether other files can be written to the folder: False for a full disk, for instance."""
    return error.errno in _OF_ONE_FILE


def sync_folder(folder: Path) -> None:
    """Wait until the names of the files in a folder are on the disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _create_temporary(target: Path) -> tuple[Path, int]:
    """Create and lock the temporary file of `target`. Returns its path, and the descriptor that holds the lock."""
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= _MAX_SUFFIX else ""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    while True:
        temporary = target.with_name(f".tmp-spiritlm-{secrets.token_hex(4)}{suffix}")
        descriptor = os.open(temporary, flags, 0o666 if mode is None else 0o600)
        try:
            if mode is not None:
                os.fchmod(descriptor, mode)
            # `remove_leftovers` of another process may have taken it for one before it was locked.
            if lock_file(descriptor) and os.fstat(descriptor).st_nlink:
                return temporary, descriptor
        except BaseException:
            temporary.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        os.close(descriptor)


def lock_file(descriptor: int) -> bool:
    """Lock an open file until it is closed. Returns False if another process holds its lock.

    Returns True where there are no locks, as on some network file systems.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.ENOLCK, errno.EOPNOTSUPP)
    return True


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically, and create its folder if it is missing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, and create its folder if it is missing. Line ends stay as they are."""
    write_bytes(path, text.encode())


def read_bytes(path: Path | str, error_type: type[SpiritLMError] = ManifestError) -> bytes:
    """Return the content of a file. Raises `error_type`, with the path and the reason, if it can't be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise error_type(f"{path}: no such file") from None
    except OSError as error:
        raise error_type(f"{path}: can't be read ({error.strerror or error})") from None


def check_regular(path: Path, error_type: type[SpiritLMError] = ManifestError) -> None:
    """Raise `error_type` unless `path` is a regular file or a link to one: a pipe or a device may never end."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise error_type(f"{path}: missing") from None
    except OSError as error:
        raise error_type(f"{path}: can't be read ({error.strerror or error})") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise error_type(f"{path}: is {kind}, expected a regular file")


def read_limited(path: Path, max_bytes: int, error_type: type[SpiritLMError] = ManifestError) -> bytes:
    """Return the content of a regular file of at most `max_bytes`. Raises `error_type` for any other."""
    check_regular(path, error_type)
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise error_type(f"{path}: can't be read ({error.strerror or error})") from None
    if len(content) > max_bytes:
        raise error_type(f"{path}: is larger than {max_bytes / 1e6:g} MB, the most that is read")
    return content
