"""Tensors that stay in their files until they are needed, for weights that don't fit into memory twice."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from spiritlm_cli.checkpoints.checkpoint import HUGGING_FACE_WEIGHTS
from spiritlm_cli.checkpoints.pickles import is_zip, read_checked, read_pickle
from spiritlm_cli.checkpoints.tensors import convert_weight, match_names, split_state
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError

# Bytes to read before a file is opened anew: until it is closed, its pages count as memory of this process.
_MAX_MAPPED = 1 << 28

# torch's names of the dtypes of safetensors.
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
}


@dataclass(frozen=True)
class LazyTensor:
    """A tensor in a file. name: in the file. size: bytes of its values. dtype: such as "bfloat16"."""

    path: Path
    name: str
    shape: tuple[int, ...]
    size: int
    dtype: str


def list_tensors(path: Path) -> dict[str, LazyTensor]:
    """List the tensors of a `.safetensors`, `.bin` or `.pt` file without reading their values.

    Raises CheckpointError as `read_tensors`.
    """
    if path.suffix == ".safetensors":
        return read_checked(path, _list_safetensors)
    return read_checked(path, _list_pickle)


def weight_files(folder: Path) -> tuple[Path, tuple[Path, ...]]:
    """Find the weights in a Hugging Face folder, `HUGGING_FACE_WEIGHTS`, whole or sharded.

    Returns the file that names the tensors (the index of sharded weights, otherwise the weights), and the weight files.
    Raises CheckpointError if there are none.
    """
    for name in HUGGING_FACE_WEIGHTS:
        if (folder / name).is_file():
            return folder / name, (folder / name,)
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = read_json(index).get("weight_map")
            if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
                raise CheckpointError(f"{index}: has no weight_map from tensors to files")
            return index, tuple(folder / name for name in sorted({Path(one).name for one in shards.values()}))
    if (folder / "adapter_config.json").is_file():
        raise CheckpointError(
            f"{folder}: is an adapter (LoRA); `spiritlm models merge {folder} -o FOLDER` makes a model of it"
        )
    first, other = HUGGING_FACE_WEIGHTS
    raise CheckpointError(f"{folder / first}: missing (or {other})")


def iter_tensors(
    requests: Iterable[tuple[LazyTensor, torch.device, torch.dtype | None]],
) -> Iterator[Tensor]:
    """Read tensors in order, each to its device and in its dtype (None: as stored), in memory of its own.

    At most 256 MB of a file are mapped at a time. Files from before PyTorch 1.6 can't be mapped and are read whole.
    Raises CheckpointError as `read_tensors`, and as `convert_weight` for a tensor that is given a dtype.
    """
    for (path, device), group in groupby(requests, key=lambda request: (request[0].path, request[1])):
        pending = [(tensor.name, dtype, tensor.size) for tensor, _, dtype in group]
        max_mapped = _MAX_MAPPED if path.suffix == ".safetensors" or is_zip(path) else 1 << 62
        while pending:
            room, count = max_mapped, 0
            while count < len(pending) and (count == 0 or pending[count][2] <= room):
                room -= pending[count][2]
                count += 1
            batch = [(name, dtype) for name, dtype, _ in pending[:count]]
            yield from read_checked(path, _reader(batch, device))
            del pending[:count]


def equal_tensors(path: Path, other: Path) -> bool:
    """Whether two files hold the same tensors under the same names, bit for bit. Raises CheckpointError."""
    ours, theirs = list_tensors(path), list_tensors(other)
    if {name: one.shape for name, one in ours.items()} != {name: one.shape for name, one in theirs.items()}:
        return False
    cpu = torch.device("cpu")
    pairs = zip(
        iter_tensors((tensor, cpu, None) for tensor in ours.values()),
        iter_tensors((theirs[name], cpu, None) for name in ours),
        strict=True,
    )
    # Compared as bytes, because a NaN does not equal itself.
    return all(
        a.dtype == b.dtype and torch.equal(a.flatten().view(torch.uint8), b.flatten().view(torch.uint8))
        for a, b in pairs
    )


def load_lazily(
    module: nn.Module,
    path: Path,
    tensors: Mapping[str, LazyTensor],
    *,
    device_of: Callable[[str], torch.device],
    rename: Callable[[str], str | None] = lambda name: name,
) -> None:
    """As `load_into`, into a module from `build_on_meta`: read each tensor from its file straight to its device.

    path: the file that errors name. device_of: from the module's name of a tensor to its device. rename: as for
    `load_into`. A tensor that the module has twice on one device is read once.
    """
    targets = module.state_dict()
    names = match_names(targets, path, {name: tensor.shape for name, tensor in tensors.items()}, rename)
    requests = {
        target: (tensors[name], device_of(target), targets[target].dtype) for target, name in names.items()
    }
    # Sorted by file, so that each file is opened few times.
    ordered = sorted(
        set(requests.values()), key=lambda request: (request[0].path, str(request[1]), request[0].name)
    )
    values = dict(zip(ordered, iter_tensors(ordered), strict=True))
    module.load_state_dict({target: values[request] for target, request in requests.items()}, assign=True)


def _list_pickle(path: Path) -> dict[str, LazyTensor]:
    tensors = split_state(path, read_pickle(path, mapped=True)).tensors
    return {
        name: LazyTensor(
            path, name, tuple(tensor.shape), tensor.nbytes, str(tensor.dtype).removeprefix("torch.")
        )
        for name, tensor in tensors.items()
    }


def _list_safetensors(path: Path) -> dict[str, LazyTensor]:
    tensors = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            part = file.get_slice(name)
            shape = tuple(part.get_shape())
            # F32, BF16, F8_E4M3, …; BOOL is a byte.
            bits = re.match(r"[A-Z]+(\d+)", part.get_dtype())
            size = prod(shape) * int(bits[1] if bits else 8) // 8
            dtype = _DTYPES.get(part.get_dtype(), part.get_dtype())
            tensors[name] = LazyTensor(path, name, shape, size, dtype)
    return tensors


def _reader(
    requests: Iterable[tuple[str, torch.dtype | None]], device: torch.device
) -> Callable[[Path], list[Tensor]]:
    """Return a function that reads tensors, given as (name, dtype), from a file to a device."""

    def read(path: Path) -> list[Tensor]:
        if path.suffix != ".safetensors":
            tensors = split_state(path, read_pickle(path, mapped=True)).tensors
            return [_copy(path, name, tensors[name], device, dtype) for name, dtype in requests]
        # safetensors copies to CUDA devices by itself; it knows few other devices.
        first = str(device) if device.type == "cuda" else "cpu"
        with safe_open(path, framework="pt", device=first) as file:
            return [_copy(path, name, file.get_tensor(name), device, dtype) for name, dtype in requests]

    return read


def _copy(path: Path, name: str, tensor: Tensor, device: torch.device, dtype: torch.dtype | None) -> Tensor:
    copied = convert_weight(path, name, tensor, dtype, device) if dtype else tensor.detach().to(device)
    copied = copied.contiguous()
    # A CPU tensor from a mapped file would keep the whole file mapped.
    return copied.clone() if copied.is_cpu and copied.data_ptr() == tensor.data_ptr() else copied
