"""Tensors that are read one by one, and modules that are loaded from them."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from spiritlm_cli.checkpoints import lazy_tensors
from spiritlm_cli.checkpoints.lazy_tensors import (
    equal_tensors,
    iter_tensors,
    list_tensors,
    load_lazily,
    weight_files,
)
from spiritlm_cli.checkpoints.tensors import build_on_meta, write_tensors
from spiritlm_cli.errors import CheckpointError

CPU = torch.device("cpu")
TENSORS = {
    "a": torch.arange(6.0).view(2, 3),
    "b": torch.arange(4).view(2, 2).T.to(torch.int8),
    "c": torch.ones(0, 3, dtype=torch.bfloat16),
    "d": torch.tensor(True),
}


def write(folder: Path, suffix: str) -> Path:
    path = folder / f"weights{suffix}"
    if suffix == ".safetensors":
        write_tensors(path, TENSORS)
    else:
        torch.save(TENSORS, path, _use_new_zipfile_serialization=suffix == ".bin")
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".pt"])
@pytest.mark.parametrize("max_mapped", [1, 30, 1 << 28])
def test_iter_tensors_returns_memory_of_its_own(
    tmp_path: Path, suffix: str, max_mapped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_tensors, "_MAX_MAPPED", max_mapped)
    tensors = list_tensors(write(tmp_path, suffix))
    assert {name: (one.shape, one.size) for name, one in tensors.items()} == {
        name: (tuple(tensor.shape), tensor.nbytes) for name, tensor in TENSORS.items()
    }
    read = dict(zip(tensors, iter_tensors((one, CPU, None) for one in tensors.values()), strict=True))
    for name, tensor in read.items():
        assert tensor.dtype == TENSORS[name].dtype
        assert torch.equal(tensor, TENSORS[name])
        assert tensor.is_contiguous()
        assert tensor.untyped_storage().nbytes() == tensor.nbytes
    (cast,) = iter_tensors([(tensors["a"], CPU, torch.float64)])
    assert torch.equal(cast, TENSORS["a"].double())


def test_load_lazily_keeps_dtypes_and_reads_each_tensor_once(tmp_path: Path) -> None:
    file = write(tmp_path, ".safetensors")
    tensors = {"weight": list_tensors(file)["a"], "bias": list_tensors(file)["a"]}

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(2, 3))

    module = build_on_meta(Twice, file).half()
    load_lazily(module, file, tensors, device_of=lambda name: CPU)
    assert module.weight.dtype == torch.float16
    assert module.weight.data_ptr() == module.bias.data_ptr()
    assert module.weight.tolist() == TENSORS["a"].tolist()
    load_lazily(
        module, file, tensors, device_of=lambda name: torch.device("meta" if name == "bias" else "cpu")
    )
    assert (module.weight.device.type, module.bias.device.type) == ("cpu", "meta")
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: unexpected tensor a"):
        load_lazily(module, file, tensors | {"a": tensors["bias"]}, device_of=lambda name: CPU)


def test_equal_tensors(tmp_path: Path) -> None:
    path = write(tmp_path, ".safetensors")
    for suffix in (".safetensors", ".bin", ".pt"):
        assert equal_tensors(path, write(tmp_path, suffix))
    other, nan = tmp_path / "other.safetensors", torch.full((2, 3), torch.nan)
    for change in ({"a": -TENSORS["a"]}, {"a": TENSORS["a"].int()}, {"a": torch.ones(3, 2)}, {"e": nan}):
        write_tensors(other, TENSORS | change)
        assert not equal_tensors(path, other)
    write_tensors(path, TENSORS | {"e": nan})
    assert equal_tensors(path, other)


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_list_tensors_names_damaged_files(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix)
    tensors = list_tensors(path)
    path.write_bytes(path.read_bytes()[:-20])
    for read in (list_tensors, lambda path: list(iter_tensors([(tensors["a"], CPU, None)]))):
        with pytest.raises(CheckpointError, match=rf"weights\{suffix}: cut off or not a checkpoint"):
            read(path)
    path.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        list_tensors(path)


def test_list_tensors_refuses_shapes_larger_than_the_file(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1).expand(10**13)}, tmp_path / "weights.bin")
    with pytest.raises(
        CheckpointError, match=r"weights\.bin: a, \(10000000000000,\), has elements that overlap"
    ):
        list_tensors(tmp_path / "weights.bin")


def test_weight_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.safetensors: missing \(or pytorch_model\.bin\)"):
        weight_files(tmp_path)
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text('{"weight_map": {"a": "../x.bin", "b": "y.bin"}}')
    assert weight_files(tmp_path) == (index, (tmp_path / "x.bin", tmp_path / "y.bin"))
    index.write_text('{"weight_map": ["a"]}')
    with pytest.raises(CheckpointError, match=r"index\.json: has no weight_map"):
        weight_files(tmp_path)
    (tmp_path / "model.safetensors").touch()
    assert weight_files(tmp_path)[0].name == "model.safetensors"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other ways elsewhere")
@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_iter_tensors_never_holds_a_file_twice(tmp_path: Path, programs: Path, suffix: str) -> None:
    """Loading 200 MB takes little more than 200 MB at its peak."""
    path = tmp_path / f"weights{suffix}"
    tensors = {f"{number}": torch.ones(50_000_000, dtype=torch.int8) for number in range(4)}
    write_tensors(path, tensors) if suffix == ".safetensors" else torch.save(tensors, path)
    code = (
        "import resource, torch\n"
        "from pathlib import Path\n"
        "from spiritlm_cli.checkpoints import lazy_tensors\n"
        "lazy_tensors._MAX_MAPPED = 50_000_000\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        f"tensors = lazy_tensors.list_tensors(Path({str(path)!r})).values()\n"
        "held = list(lazy_tensors.iter_tensors((one, torch.device('cpu'), None) for one in tensors))\n"
        "print(peak() - before)"
    )
    result = subprocess.run([programs / "python", "-c", code], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 300_000
