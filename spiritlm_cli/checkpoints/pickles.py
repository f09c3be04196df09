"""Reading the pickles that `torch.save` writes, without running code in them or taking more memory than they have."""

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

LOADING_ADVICE = "--dtype bfloat16 halves the memory of most networks"


def read_pickle(path: Path, mapped: bool = False) -> dict[str, Any]:
    """Read a dictionary of tensors and plain values that `torch.save` wrote.

    Raises CheckpointError for anything else, for a file that takes more memory than its size, and for tensors that are
    not plain arrays in it: sparse, quantized or without values, or with elements that overlap.
    mapped: map the tensors into memory instead of reading them; they must not be written to. Files that can't be
    mapped (see `is_zip`) are read.
    """
    return read_checked(path, lambda path: _read_pickle(path, mapped))


def is_zip(path: Path) -> bool:
    """Whether a pickle is in the zip format, which can be mapped: torch has written it since version 1.6."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4"


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


def _read_pickle(path: Path, mapped: bool) -> dict[str, Any]:
    zipped = is_zip(path)
    (_check_zip if zipped else _check_legacy)(path)
    with warnings.catch_warnings():
        # torch warns of unknown pickle protocols if the file is not a pickle.
        warnings.simplefilter("ignore")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and zipped)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected named tensors, found {type(content).__name__}")
    _check_tensors(path, content)
    return content


def _check_zip(path: Path) -> None:
    """Raise CheckpointError for a zip file with records that are compressed or more than the file.

    torch writes records as they are; a compressed one can become a thousand times as large.
    """
    try:
        with zipfile.ZipFile(path) as file:
            records = file.infolist()
            if any(record.compress_type != zipfile.ZIP_STORED for record in records):
                raise CheckpointError(f"{path}: has compressed records, which torch does not write")
            if sum(record.file_size for record in records) > path.stat().st_size:
                raise CheckpointError(f"{path}: has records that are larger than the file")
            for record in records:
                if record.filename.endswith("data.pkl"):
                    _check_pickle(path, file.read(record))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(f"{path}: cut off or not a checkpoint ({error})") from error


def _check_legacy(path: Path) -> None:
    """Check a file from before PyTorch 1.6: pickles, then the values of the tensors."""
    if path.stat().st_size:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _check_pickle(path, content)


def _check_pickle(path: Path, content: bytes | mmap.mmap) -> None:
    """Raise CheckpointError for a pickle with the one safe type that takes memory without having content."""
    if content.find(b"bytearray") >= 0:
        raise CheckpointError(f"{path}: it holds a bytearray; only tensors and plain values are read")


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
    return text.splitlines()[0] if text else type(error).__name__
