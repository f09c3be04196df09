"""Pickles that `torch.save` writes, read without running code in them or taking more memory than they have."""

import mmap
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from spiritlm_cli.errors import CheckpointError, OutOfMemoryError, SpiritLMError
from spiritlm_cli.files import check_regular
from spiritlm_cli.out_of_memory import is_out_of_memory

T = TypeVar("T")

# How a file from before PyTorch 1.6 begins: a pickle of torch's magic number.
_LEGACY_START = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

# The operation that looks up a class or function in a pickle of protocol 2, the one that torch writes and reads.
_GLOBAL = re.compile(rb"c([A-Za-z_][\w.]{0,200})\n([A-Za-z_][\w.]{0,200})\n")

LOADING_ADVICE = "--dtype bfloat16 halves the memory of most networks"


class InertObject:
    """Stands for an object in a pickle whose class is not imported. Nothing of it is run.

    args: what it was made of. state: what was set on it afterwards; None if nothing was.
    """

    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> "InertObject":
        made = super().__new__(cls)
        made.args, made.state = args, None
        return made

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


def write_pickle(path: Path, content: Mapping[str, Any], name: Path) -> None:
    """Write a dictionary of tensors and plain values with `torch.save`.

    name: of the file, if `path` is temporary. Raises CheckpointError if it can't be written, as on a full disk.
    """
    try:
        torch.save(content, path)
    except RuntimeError as error:
        # of what the system said, torch's message has nothing
        raise CheckpointError(f"{name}: can't be written; is there space left on the disk?") from error


def read_pickle(path: Path, mapped: bool = False, inert: re.Pattern[str] | None = None) -> dict[str, Any]:
    """Read a dictionary of tensors and plain values that `torch.save` wrote.

    Raises CheckpointError for anything else, for a file that takes more memory than its size, and for tensors that are
    not plain arrays in it: sparse, quantized or without values, or with elements that overlap.
    mapped: map the tensors into memory instead of reading them; they must not be written to. Files that can't be
    mapped (see `is_zip`) are read. inert: matches the full names of classes and functions, such as
    "argparse.Namespace", in place of which an `InertObject` is made.
    """
    return read_checked(path, lambda path: _read_pickle(path, mapped, inert))


def is_zip(path: Path) -> bool:
    """Whether a pickle is in the zip format, which can be mapped: torch has written it since version 1.6."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4"


def is_torch_file(path: Path) -> bool:
    """Whether a file begins as one that `torch.save` wrote, in either format. Raises CheckpointError."""
    check_regular(path, CheckpointError)
    with path.open("rb") as file:
        start = file.read(len(_LEGACY_START))
    return start.startswith(b"PK\3\4") or start == _LEGACY_START


def read_checked(path: Path, read: Callable[[Path], T]) -> T:
    """Return `read(path)`. Raises CheckpointError if the file is missing, or if `read` raises any error.

    Raises OutOfMemoryError if there is too little memory for it.
    """
    check_regular(path, CheckpointError)
    try:
        return read(path)
    except SpiritLMError:
        raise
    except Exception as error:  # For damaged files the readers raise a dozen types.
        if is_out_of_memory(error):
            raise OutOfMemoryError(
                f"{path}: there is too little memory to read it; {LOADING_ADVICE}"
            ) from error
        raise CheckpointError(f"{path}: cut off or not a checkpoint ({_reason(error)})") from error


def _read_pickle(path: Path, mapped: bool, inert: re.Pattern[str] | None) -> dict[str, Any]:
    zipped = is_zip(path)
    names = (_check_zip if zipped else _check_legacy)(path, inert)
    # torch makes the object beside each name in its place
    with torch.serialization.safe_globals([(InertObject, name) for name in names]), warnings.catch_warnings():
        # torch warns of unknown pickle protocols if the file is not a pickle.
        warnings.simplefilter("ignore")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and zipped)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected named tensors, found {type(content).__name__}")
    _check_tensors(path, content)
    return content


def _check_zip(path: Path, inert: re.Pattern[str] | None) -> set[str]:
    """Return the names that `inert` matches in the pickle of a zip file.

    Raises CheckpointError for a zip file with records that are compressed or more than the file. torch writes records
    as they are; a compressed one can become a thousand times as large.
    """
    try:
        with zipfile.ZipFile(path) as file:
            records = file.infolist()
            if any(record.compress_type != zipfile.ZIP_STORED for record in records):
                raise CheckpointError(f"{path}: has compressed records, which torch does not write")
            if sum(record.file_size for record in records) > path.stat().st_size:
                raise CheckpointError(f"{path}: has records that are larger than the file")
            pickles = [record for record in records if record.filename.endswith("data.pkl")]
            return {name for record in pickles for name in _check_pickle(path, file.read(record), inert)}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(f"{path}: cut off or not a checkpoint ({error})") from error


def _check_legacy(path: Path, inert: re.Pattern[str] | None) -> set[str]:
    """Check a file from before PyTorch 1.6: pickles, then the values of the tensors. Returns as `_check_zip`."""
    if not path.stat().st_size:
        return set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _check_pickle(path, content, inert)


def _check_pickle(path: Path, content: bytes | mmap.mmap, inert: re.Pattern[str] | None) -> set[str]:
    """Return the names of classes and functions that `inert` matches in a pickle.

    Raises CheckpointError for a pickle with the one safe type that takes memory without having content.
    """
    if content.find(b"bytearray") >= 0:
        raise CheckpointError(f"{path}: it holds a bytearray; only tensors and plain values are read")
    if inert is None:
        return set()
    found = {(module.decode(), name.decode()) for module, name in _GLOBAL.findall(content)}
    # torch pickles with the names of Python 2, and reads them as those of Python 3
    names = {f"{'builtins' if module == '__builtin__' else module}.{name}" for module, name in found}
    return {name for name in names if inert.fullmatch(name)}


def _check_tensors(path: Path, content: Mapping[Any, Any]) -> None:
    """Raise CheckpointError unless tensors are plain arrays, together of at most twice the size of their file.

    Twice, because a language model may have its embedding and its output head in common. content: tensors are its
    values, or those of dictionaries that are its values.
    """
    room = 2 * path.stat().st_size
    inner = [value for value in content.values() if isinstance(value, Mapping)]
    for name, tensor in (item for mapping in (content, *inner) for item in mapping.items()):
        if not isinstance(tensor, Tensor):
            continue
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested or not tensor.is_cpu:
            raise CheckpointError(f"{path}: {name} is a sparse, quantized or other special tensor")
        if tensor.nbytes > tensor.untyped_storage().nbytes():
            raise CheckpointError(f"{path}: {name}, {tuple(tensor.shape)}, has elements that overlap")
        room -= tensor.nbytes
    if room < 0:
        raise CheckpointError(f"{path}: its tensors are larger than the file")


def _reason(error: Exception) -> str:
    text = str(error).strip()
    if code := re.search(r"GLOBAL (\S+)", text):
        return f"it holds {code[1]}; only tensors and plain values are read, never code"
    if isinstance(error, pickle.UnpicklingError):
        return "not as torch writes tensors"  # torch's own message advises to run the file's code.
    if isinstance(error, LookupError):
        return "damaged"  # the text is a number or a name of the reader's own
    return text.splitlines()[0] if text else type(error).__name__
