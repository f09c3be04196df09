"""Tensors that stay in their files until each is wanted: for weights that memory has no room for twice."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from spiritlm_cli.checkpoints.tensors import is_zip, match_names, read_checked, read_pickle, split_state
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError

# What is read before a file is opened anew. Until it is closed, what was read of it counts as this process's memory.
_AT_ONCE = 1 << 28


@dataclass(frozen=True)
class LazyTensor:
    """A tensor in a file: where it is, its name there, and how many bytes its values are."""

    path: Path
    name: str
    shape: tuple[int, ...]
    size: int


def list_tensors(path: Path) -> dict[str, LazyTensor]:
    """The tensors of a `.safetensors`, `.bin` or `.pt` file, without their values. Raises CheckpointError."""
    if path.suffix == ".safetensors":
        return read_checked(path, _list_safetensors)
    return read_checked(path, _list_pickle)


def weight_files(folder: Path) -> tuple[Path, tuple[Path, ...]]:
    """Where a Hugging Face folder has its weights: what names them (an index, or the file itself), and the files.

    `model.safetensors` or `pytorch_model.bin`, whole or sharded. Raises CheckpointError where there are none.
    """
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name, (folder / name,)
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = read_json(index).get("weight_map")
            if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
                raise CheckpointError(f"{index}: has no weight_map from tensors to files")
            return index, tuple(folder / name for name in sorted({Path(one).name for one in shards.values()}))
    raise CheckpointError(f"{folder / 'model.safetensors'}: missing (or pytorch_model.bin)")


def iter_tensors(
    stored: Iterable[tuple[LazyTensor, torch.device, torch.dtype | None]],
) -> Iterator[Tensor]:
    """Tensors in order, each on its device and in its dtype (None: the stored one), in memory of its own.

    Little more is held than what is given: of the files 256 MB at most. Raises CheckpointError.
    """
    for (path, device), group in groupby(stored, key=lambda one: (one[0].path, one[1])):
        wanted = [(one.name, dtype, one.size) for one, _, dtype in group]
        # a file that can't stay where it is would be read whole each time
        at_once = _AT_ONCE if path.suffix == ".safetensors" or is_zip(path) else 1 << 62
        while wanted:
            room, count = at_once, 0
            while count < len(wanted) and (count == 0 or wanted[count][2] <= room):
                room -= wanted[count][2]
                count += 1
            some = [(name, dtype) for name, dtype, _ in wanted[:count]]
            yield from read_checked(path, _reader(some, device))
            del wanted[:count]


def same_tensors(path: Path, other: Path) -> bool:
    """Whether two files hold the same tensors under the same names, to the last bit. Raises CheckpointError."""
    ours, theirs = list_tensors(path), list_tensors(other)
    if {name: one.shape for name, one in ours.items()} != {name: one.shape for name, one in theirs.items()}:
        return False
    cpu = torch.device("cpu")
    pairs = zip(
        iter_tensors((one, cpu, None) for one in ours.values()),
        iter_tensors((theirs[name], cpu, None) for name in ours),
        strict=True,
    )
    # as bytes: a NaN is not equal to itself
    return all(
        a.dtype == b.dtype and torch.equal(a.flatten().view(torch.uint8), b.flatten().view(torch.uint8))
        for a, b in pairs
    )


def load_lazily(
    module: nn.Module,
    path: Path,
    stored: Mapping[str, LazyTensor],
    *,
    device_of: Callable[[str], torch.device],
    rename: Callable[[str], str | None] = lambda name: name,
) -> None:
    """As `load_into`, into a module from `build_on_meta`: each tensor is read from its file straight to its device.

    path: the file that errors name. device_of: from the module's name of a tensor to its device. rename: as for
    `load_into`. A tensor that the module has twice on one device is read once.
    """
    wanted = module.state_dict()
    names = match_names(wanted, path, {name: one.shape for name, one in stored.items()}, rename)
    keys = {target: (stored[name], device_of(target), wanted[target].dtype) for target, name in names.items()}
    # in the order of the files, so that each is opened few times
    ordered = sorted(set(keys.values()), key=lambda key: (key[0].path, str(key[1]), key[0].name))
    read = dict(zip(ordered, iter_tensors(ordered), strict=True))
    module.load_state_dict({target: read[key] for target, key in keys.items()}, assign=True)


def _list_pickle(path: Path) -> dict[str, LazyTensor]:
    found = {}
    there = path.stat().st_size
    for name, tensor in split_state(path, read_pickle(path, mapped=True)).tensors.items():
        # a pickle can say of one number that it is a tensor of any shape
        if tensor.nbytes > there:
            raise CheckpointError(f"{path}: {name} is {tuple(tensor.shape)}, which is more than the file")
        found[name] = LazyTensor(path, name, tuple(tensor.shape), tensor.nbytes)
    return found


def _list_safetensors(path: Path) -> dict[str, LazyTensor]:
    found = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            part = file.get_slice(name)
            shape = tuple(part.get_shape())
            # F32, BF16, F8_E4M3, …; BOOL is a byte
            bits = re.match(r"[A-Z]+(\d+)", part.get_dtype())
            found[name] = LazyTensor(path, name, shape, prod(shape) * int(bits[1] if bits else 8) // 8)
    return found


def _reader(
    wanted: Iterable[tuple[str, torch.dtype | None]], device: torch.device
) -> Callable[[Path], list[Tensor]]:
    """What reads these tensors of a file, each (name, dtype), to a device."""

    def read(path: Path) -> list[Tensor]:
        if path.suffix != ".safetensors":
            tensors = split_state(path, read_pickle(path, mapped=True)).tensors
            return [_own(tensors[name], device, dtype) for name, dtype in wanted]
        # to a CUDA GPU safetensors copies by itself; it knows few other devices, and those by few names
        first = str(device) if device.type == "cuda" else "cpu"
        with safe_open(path, framework="pt", device=first) as file:
            return [_own(file.get_tensor(name), device, dtype) for name, dtype in wanted]

    return read


def _own(tensor: Tensor, device: torch.device, dtype: torch.dtype | None) -> Tensor:
    held = tensor.detach().to(device, dtype or tensor.dtype).contiguous()
    # on a CPU what comes of a file is the file's own pages, which stay while any of it is held
    return held.clone() if held.is_cpu and held.data_ptr() == tensor.data_ptr() else held
