"""Tensors in and out of files: the release's pickles (read without running code) and safetensors."""

import json
import os
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from spiritlm_cli.errors import CheckpointError

# Keys under which the release's files keep their tensors, beside configuration.
_STATE_KEYS = ("model_weight", "generator", "model")


@dataclass(frozen=True)
class TensorFile:
    """What a checkpoint file holds. config: what stands beside the tensors (the release's pickles, our metadata)."""

    path: Path
    tensors: dict[str, Tensor]
    config: dict[str, Any] = field(default_factory=dict)


def read_tensors(path: Path) -> TensorFile:
    """Read `.pt`, `.bin` (as pickled by torch, `weights_only`) or `.safetensors`.

    Raises CheckpointError where the file is missing, cut off, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: missing")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                config = {
                    key: json.loads(text) for key, text in (file.metadata() or {}).items() if key != "format"
                }
                return TensorFile(path, {name: file.get_tensor(name) for name in file.keys()}, config)  # noqa: SIM118
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{path}: cut off or not a checkpoint ({reason})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected named tensors, found {type(content).__name__}")
    for key in _STATE_KEYS:
        if isinstance(content.get(key), dict):
            config = {name: value for name, value in content.items() if name != key}
            return TensorFile(path, dict(content[key]), config)
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    return TensorFile(path, tensors, {name: value for name, value in content.items() if name not in tensors})


def write_tensors(path: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> None:
    """Write safetensors with `config` as JSON in its metadata; the file appears under its name when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    metadata = {key: json.dumps(value) for key, value in (config or {}).items()}
    save_file(
        {name: tensor.detach().contiguous() for name, tensor in tensors.items()},
        part,
        metadata | {"format": "pt"},
    )
    # safetensors makes files that nobody else can read
    part.chmod(0o666 & ~_umask())
    part.replace(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load_into(
    module: nn.Module,
    file: TensorFile,
    *,
    rename: Callable[[str], str | None] = lambda name: name,
    ignore: Iterable[str] = (),
) -> None:
    """Copy a file's tensors into a module, as float32; every parameter and buffer must be given, and no other.

    rename: from the file's name of a tensor to the module's; None where it is not wanted. ignore: prefixes of the
    file's names that are not wanted. Raises CheckpointError that names file and tensors, with the shapes expected.
    """
    wanted = module.state_dict()
    prefixes = tuple(ignore)
    faults: list[str] = []
    given: dict[str, Tensor] = {}
    for name, tensor in file.tensors.items():
        target = None if prefixes and name.startswith(prefixes) else rename(name)
        if target is None:
            continue
        if target not in wanted:
            faults.append(f"unexpected tensor {name}")
        elif tensor.shape != wanted[target].shape:
            faults.append(f"{name} is {tuple(tensor.shape)}, expected {tuple(wanted[target].shape)}")
        else:
            given[target] = tensor.to(wanted[target].dtype)
    faults += [f"missing tensor {name}" for name in wanted if name not in given]
    if faults:
        more = f" and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise CheckpointError(f"{file.path}: {'; '.join(faults[:4])}{more}")
    module.load_state_dict(given)
