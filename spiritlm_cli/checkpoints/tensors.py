"""Reading and writing tensor files: pickles, without running code in them, and safetensors."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from spiritlm_cli.checkpoints.pickles import read_checked, read_pickle
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import atomic_path

# Keys under which the release's files have their tensors, beside their configuration.
_STATE_KEYS = ("model_weight", "generator", "model")

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class TensorFile:
    """The content of a tensor file. config: what is stored beside the tensors (safetensors: the metadata)."""

    path: Path
    tensors: dict[str, Tensor]
    config: dict[str, Any] = field(default_factory=dict)


def read_tensors(path: Path) -> TensorFile:
    """Read a `.safetensors` file, or a `.pt` or `.bin` file that `torch.save` wrote (with `weights_only`).

    Raises CheckpointError if the file is missing, cut off, or holds anything but tensors and plain values.
    """
    if path.suffix == ".safetensors":
        return read_checked(path, _read_safetensors)
    return split_state(path, read_pickle(path))


def split_state(path: Path, content: dict[str, Any]) -> TensorFile:
    """Split the content of a pickle at `path` into tensors and configuration."""
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


def write_tensors(path: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> None:
    """Write a safetensors file atomically, with the same bytes for the same content.

    config: values for its metadata, each written as JSON. Raises CheckpointError if it can't be written, as on a full
    disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {key: json.dumps(value) for key, value in (config or {}).items()}
    with atomic_path(path) as temporary:
        values = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        try:
            save_file(values, temporary, metadata | {"format": "pt"})
        except SafetensorError as error:
            raise CheckpointError(f"{path}: can't be written ({error})") from error
        _sort_metadata(temporary)
        # safetensors creates files that only their owner can read.
        temporary.chmod(0o666 & ~_umask())


def _sort_metadata(path: Path) -> None:
    """Sort the metadata of a safetensors file, which the library writes in random order: equal content, equal bytes.

    The header is a length of 8 bytes, little-endian, and as many bytes of JSON, which may end in spaces.
    """
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        content = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(content) <= size:  # the tensors begin after `size` bytes
            file.seek(8)
            file.write(content.ljust(size))


def build_on_meta(factory: Callable[[], Network], path: Path) -> Network:
    """Return the network that `factory` makes, on the meta device: it has shapes, but no memory until it is loaded.

    Memory is thus only taken for sizes that the weights have, not for whatever a configuration says.
    path: the configuration file, for errors. Raises CheckpointError if no network can have its sizes.
    """
    try:
        with torch.device("meta"), _SkipRandomInit():
            return factory()
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
    """Load the tensors of a file into a module, in the module's dtypes.

    rename: from a tensor's name in the file to its name in the module; None to skip it. ignore: prefixes of names in
    the file to skip.
    Raises CheckpointError that names the file and up to four tensors that are missing, unexpected, or of another shape,
    or the first that is not finite numbers.
    """
    targets = module.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in file.tensors.items()}
    names = match_names(targets, file.path, shapes, rename, ignore)
    values = {
        target: convert_weight(file.path, name, file.tensors[name], targets[target].dtype)
        for target, name in names.items()
    }
    module.load_state_dict(values, assign=any(tensor.is_meta for tensor in targets.values()))


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
    targets: Mapping[str, Tensor],
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    rename: Callable[[str], str | None],
    ignore: Iterable[str] = (),
) -> dict[str, str]:
    """Return, for the name of each tensor of a module, its name in a file.

    targets: the module's state. shapes: of the tensors in the file. For other arguments and errors see `load_into`.
    """
    prefixes = tuple(ignore)
    faults: list[str] = []
    matches: dict[str, str] = {}
    for name, shape in shapes.items():
        target = None if prefixes and name.startswith(prefixes) else rename(name)
        if target is None:
            continue
        if target not in targets:
            faults.append(f"unexpected tensor {name}")
        elif shape != targets[target].shape:
            faults.append(f"{name} is {shape}, expected {tuple(targets[target].shape)}")
        elif target in matches:
            faults.append(f"{name} is there under two names")
        else:
            matches[target] = name
    faults += [f"missing tensor {name}" for name in targets if name not in matches]
    if faults:
        more = f" and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise CheckpointError(f"{path}: {'; '.join(faults[:4])}{more}")
    return matches


def convert_weight(
    path: Path, name: str, tensor: Tensor, dtype: torch.dtype, device: torch.device | None = None
) -> Tensor:
    """Return a weight from a file in another dtype and on another device.

    Raises CheckpointError if it is not floating-point numbers, or has values that are infinite or not a number.
    """
    if not tensor.is_floating_point():
        stored = str(tensor.dtype).removeprefix("torch.")
        raise CheckpointError(f"{path}: {name} is {stored}, expected floating-point numbers")
    converted = tensor.detach().to(device, dtype)
    check_values(path, name, converted)
    return converted


def check_values(path: Path, name: str, tensor: Tensor) -> None:
    """Raise CheckpointError if a tensor from a file has values that are infinite or not a number."""
    if tensor.is_meta or not tensor.numel() or not tensor.is_floating_point():
        return
    # For the least and the greatest value nothing is copied. torch does not compute them of numbers of 8 bits.
    values = tensor.float() if tensor.itemsize == 1 else tensor
    if not torch.stack(torch.aminmax(values)).isfinite().all():
        raise CheckpointError(f"{path}: {name} has values that are infinite or not a number")


_RANDOM_INIT = {
    nn.init.kaiming_uniform_,
    nn.init.normal_,
    nn.init.uniform_,
    Tensor.normal_,
    Tensor.uniform_,
}


class _SkipRandomInit(TorchFunctionMode):
    """Skips initialization with random numbers, which the meta device does not hold.

    It would take a quarter of the time of loading a small network, and torch imports its compiler for normal numbers.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _RANDOM_INIT:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _read_safetensors(path: Path) -> TensorFile:
    with safe_open(path, framework="pt") as file:
        config = {key: _from_json(text) for key, text in (file.metadata() or {}).items() if key != "format"}
        return TensorFile(path, {name: file.get_tensor(name) for name in file.keys()}, config)  # noqa: SIM118


def _from_json(text: str) -> Any:
    """Parse a metadata value; values that other programs wrote need not be JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
