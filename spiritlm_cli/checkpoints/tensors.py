"""Tensors in and out of files: the release's pickles (read without running code) and safetensors."""

import json
import os
import pickle
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from spiritlm_cli.errors import CheckpointError

# Keys under which the release's files keep their tensors, beside configuration.
_STATE_KEYS = ("model_weight", "generator", "model")

T = TypeVar("T")
Network = TypeVar("Network", bound=nn.Module)


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
    if path.suffix == ".safetensors":
        return read_checked(path, _read_safetensors)
    return split_state(path, read_pickle(path))


def split_state(path: Path, content: dict[str, Any]) -> TensorFile:
    """What a pickle at `path` was found to hold, as tensors and what stands beside them."""
    state, config = content, {}
    for key in _STATE_KEYS:
        if isinstance(content.get(key), dict):
            state = content[key]
            config = {name: value for name, value in content.items() if name != key}
            break
    tensors = {
        name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor)
    }
    return TensorFile(path, tensors, config | {name: v for name, v in state.items() if name not in tensors})


def read_pickle(path: Path, mapped: bool = False) -> dict[str, Any]:
    """What `torch.save` wrote: a dictionary of tensors and plain values. Raises CheckpointError, as `read_tensors`.

    mapped: leave the tensors in the file, of which what is used comes into memory; they are not to be written to.
    """
    return read_checked(path, lambda path: _read_pickle(path, mapped and is_zip(path)))


def is_zip(path: Path) -> bool:
    """Whether a pickle is of the kind that can stay in its file: torch has written zips since 1.6, of 2020."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4"


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


def write_text(path: Path, text: str) -> None:
    """Write a configuration, a list of names …; the file appears under its name when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)


def build_on_meta(make: Callable[[], Network], path: Path) -> Network:
    """The network that `make` gives, with shapes but neither memory nor values, for `load_into` to set.

    So memory is taken only for sizes that the weights have too. Raises CheckpointError that names `path`, the
    file of the configuration, where no network can have its sizes.
    """
    try:
        with torch.device("meta"), _NoDraws():
            return make()
    except (
        Exception
    ) as error:  # ValueError, TypeError, RuntimeError, ZeroDivisionError: it depends on the layer
        raise CheckpointError(f"{path}: {' '.join(str(error).split()) or type(error).__name__}") from error


def load_into(
    module: nn.Module,
    file: TensorFile,
    *,
    rename: Callable[[str], str | None] = lambda name: name,
    ignore: Iterable[str] = (),
) -> None:
    """Put a file's tensors into a module, in the module's dtype; all that it has must be given, and nothing else.

    rename: from the file's name of a tensor to the module's; None where it is not wanted. ignore: prefixes of the
    file's names that are not wanted. Raises CheckpointError that names file and tensors, with the shapes expected.
    """
    wanted = module.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in file.tensors.items()}
    names = match_names(wanted, file.path, shapes, rename, ignore)
    given = {target: file.tensors[name].to(wanted[target].dtype) for target, name in names.items()}
    module.load_state_dict(given, assign=any(tensor.is_meta for tensor in wanted.values()))


def rename_tensor(name: str, layer_names: Mapping[str, str]) -> str:
    """Return the name of a tensor with the name of its layer replaced; names of unknown layers are returned unchanged.

    layer_names: from old to new names; `{}` stands for the first index in the name, as in `layers.{}.query`.
    """
    layer, _, parameter = name.rpartition(".")
    if layer in layer_names:
        return f"{layer_names[layer]}.{parameter}"
    index = re.search(r"\.(\d+)", layer)
    new = layer_names.get(re.sub(r"\.\d+", ".{}", layer, count=1))
    return f"{new.format(index[1])}.{parameter}" if new and index else name


def match_names(
    wanted: Mapping[str, Tensor],
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    rename: Callable[[str], str | None],
    ignore: Iterable[str] = (),
) -> dict[str, str]:
    """For each tensor of a module its name in a file, which holds tensors of these shapes; otherwise as `load_into`."""
    prefixes = tuple(ignore)
    faults: list[str] = []
    given: dict[str, str] = {}
    for name, shape in shapes.items():
        target = None if prefixes and name.startswith(prefixes) else rename(name)
        if target is None:
            continue
        if target not in wanted:
            faults.append(f"unexpected tensor {name}")
        elif shape != wanted[target].shape:
            faults.append(f"{name} is {shape}, expected {tuple(wanted[target].shape)}")
        elif target in given:
            faults.append(f"{name} is there under two names")
        else:
            given[target] = name
    faults += [f"missing tensor {name}" for name in wanted if name not in given]
    if faults:
        more = f" and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise CheckpointError(f"{path}: {'; '.join(faults[:4])}{more}")
    return given


class _NoDraws(TorchFunctionMode):
    """Leave out the drawing of normal numbers: without memory to write them to, torch first loads its compiler for
    it, which takes a second."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # The layers' own way of drawing calls the tensor's, which comes by here no more.
        if func in (nn.init.normal_, Tensor.normal_):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def read_checked(path: Path, read: Callable[[Path], T]) -> T:
    """What `read` makes of a file of weights. Raises CheckpointError where it is missing, or `read` raises anything."""
    if not path.is_file():
        raise CheckpointError(f"{path}: missing")
    try:
        return read(path)
    except CheckpointError:
        raise
    except Exception as error:  # on damaged files the readers raise a dozen types
        raise CheckpointError(f"{path}: cut off or not a checkpoint ({_reason(error)})") from error


def _read_safetensors(path: Path) -> TensorFile:
    with safe_open(path, framework="pt") as file:
        config = {key: _from_json(text) for key, text in (file.metadata() or {}).items() if key != "format"}
        return TensorFile(path, {name: file.get_tensor(name) for name in file.keys()}, config)  # noqa: SIM118


def _read_pickle(path: Path, mapped: bool) -> dict[str, Any]:
    with warnings.catch_warnings():
        # of pickle protocols that there are not, in files that are no pickles
        warnings.simplefilter("ignore")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected named tensors, found {type(content).__name__}")
    return content


def _from_json(text: str) -> Any:
    """Metadata that is not ours need not be JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _reason(error: Exception) -> str:
    text = str(error).strip()
    if code := re.search(r"GLOBAL (\S+)", text):
        return f"it holds {code[1]}; only tensors and plain values are read, never code"
    if isinstance(error, pickle.UnpicklingError):
        return "not as torch writes tensors"  # torch's own advice is to run what the file holds
    return text.splitlines()[0] if text else type(error).__name__


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
