"""Pickles that take more memory than they have, or hold anything but plain tensors."""

import argparse
import os
import pickle
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from spiritlm_cli.checkpoints.pickles import InertObject, is_torch_file, read_checked, read_pickle
from spiritlm_cli.errors import CheckpointError, OutOfMemoryError


class ZeroBytes:
    """Pickled as a call that makes a gigabyte of zeros."""

    def __reduce__(self) -> Any:
        return bytearray, (1 << 30,)


def quantized() -> torch.Tensor:
    return torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (lambda: torch.ones(3).to_sparse(), "a is a sparse, quantized or other special tensor"),
        (lambda: torch.eye(3).to_sparse_csr(), "a is a sparse"),
        (lambda: torch.ones(3, device="meta"), "a is a sparse"),
        (quantized, "a is a sparse"),
        (lambda: torch.ones(1).expand(1 << 40), r"a, \(1099511627776,\), has elements that overlap"),
        (lambda: torch.ones(15).as_strided((8, 8), (1, 1)), r"a, \(8, 8\), has elements that overlap"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # torch warns that it will remove quantized tensors
def test_read_pickle_refuses_special_tensors(
    tmp_path: Path, legacy: bool, nested: bool, tensor: Any, message: str
) -> None:
    path = tmp_path / "weights.pt"
    content = {"a": tensor()}
    try:
        torch.save({"model": content} if nested else content, path, _use_new_zipfile_serialization=not legacy)
    except (RuntimeError, NotImplementedError):
        pytest.skip("torch can't write this kind in its old format")
    for mapped in (False, True):
        with pytest.raises(CheckpointError, match=rf"weights\.pt: {message}"):
            read_pickle(path, mapped)


def test_read_pickle_refuses_views_that_are_larger_than_the_file(tmp_path: Path) -> None:
    path, tensor = tmp_path / "weights.pt", torch.ones(10_000)
    torch.save({"embedding": tensor, "head": tensor}, path)
    assert len(read_pickle(path)) == 2
    torch.save({str(n): tensor for n in range(3)}, path)
    with pytest.raises(CheckpointError, match=r"weights\.pt: its tensors are larger than the file"):
        read_pickle(path)


@pytest.mark.parametrize("record", ["data.pkl", "data/0"])
def test_read_pickle_refuses_compressed_records(tmp_path: Path, record: str) -> None:
    plain, path = tmp_path / "plain.pt", tmp_path / "weights.pt"
    torch.save({"a": torch.zeros(100_000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            deflate = info.filename.endswith(record)
            target.writestr(
                info.filename, source.read(info), zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
            )
    for mapped in (False, True):
        with pytest.raises(CheckpointError, match=r"weights\.pt: has compressed records"):
            read_pickle(path, mapped)


def test_read_pickle_refuses_records_that_share_bytes(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"a": torch.zeros(100_000)}, path)
    content = path.read_bytes()
    end = content.rfind(b"PK\5\6")
    size, start = struct.unpack("<II", content[end + 12 : end + 20])
    start = content.rfind(b"PK\1\2", 0, end) if start == 0xFFFFFFFF else start
    directory = content[start : start + size]
    record = directory[directory.find(b"PK\1\2") :]
    count = struct.unpack("<H", content[end + 8 : end + 10])[0] + 1
    longer = len(directory) + len(record)
    path.write_bytes(
        content[:start]
        + directory
        + record
        + b"PK\5\6"
        + struct.pack("<HHHHIIH", 0, 0, count, count, longer, start, 0)
    )
    with pytest.raises(CheckpointError, match=r"weights\.pt: "):
        read_pickle(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_read_pickle_refuses_bytes_that_a_call_makes(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"a": torch.ones(1), "b": ZeroBytes()}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match=r"weights\.pt: it holds a bytearray"):
        read_pickle(path)


@pytest.mark.parametrize("target", ["/dev/zero", "pipe", "."])
def test_read_checked_opens_regular_files_only(tmp_path: Path, target: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "weights.pt").symlink_to(target)
    with pytest.raises(CheckpointError, match=r"weights\.pt: is .*, expected a regular file"):
        read_pickle(tmp_path / "weights.pt")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:128] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("could not create a primitive"),
    ],
)
def test_read_checked_tells_too_little_memory_from_damage(tmp_path: Path, error: Exception) -> None:
    def read(path: Path) -> None:
        raise error

    path = tmp_path / "weights.pt"
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(OutOfMemoryError, match=r"weights\.pt: there is too little memory to read it"):
        read_checked(path, read)


@pytest.mark.parametrize("legacy", [False, True])
def test_read_pickle_makes_inert_objects(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "x.pt"
    content = {"args": argparse.Namespace(a=1), "type": dict, "t": torch.ones(1)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert is_torch_file(path)
    with pytest.raises(CheckpointError, match=r"it holds argparse\.Namespace"):
        read_pickle(path)
    with pytest.raises(CheckpointError, match="it holds dict"):
        read_pickle(path, inert=re.compile(r"argparse\.Namespace"))
    read = read_pickle(path, inert=re.compile(r"argparse\.Namespace|builtins\.dict"))
    assert isinstance(read["args"], InertObject)
    assert (read["args"].args, read["args"].state) == ((), {"a": 1})
    assert read["t"] == 1
    # nothing stays allowed
    with pytest.raises(CheckpointError, match=r"it holds argparse\.Namespace"):
        read_pickle(path)


def test_is_torch_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    for content in (b"", b"PK", b"\x80\x04]."):
        path.write_bytes(content)
        assert not is_torch_file(path)
