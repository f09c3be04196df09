"""Tensor files: damaged and hostile ones, loading into modules, and sizes that take no memory."""

import json
import os
import pickle
import resource
import struct
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spiritlm_cli.checkpoints.lazy_tensors import list_tensors, load_lazily
from spiritlm_cli.checkpoints.tensors import TensorFile, build_on_meta, load_into, read_tensors, write_tensors
from spiritlm_cli.errors import CheckpointError


class Code:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def test_read_tensors_does_not_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Code()}, "code.pt")
    with pytest.raises(CheckpointError, match=r"code\.pt: .*mkdir; only tensors and plain values are read"):
        read_tensors(Path("code.pt"))
    assert not Path("ran").exists()


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint\n", b"\xff" * 100, pickle.dumps({"a": 1})])
def test_read_tensors_refuses_other_files(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"weights\{suffix}: cut off or not a checkpoint") as caught:
        read_tensors(path)
    assert "weights_only" not in str(caught.value), "torch's advice to load it all the same"


def test_read_tensors_refuses_a_header_with_more_than_the_file(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}).encode()
    path = tmp_path / "huge.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(CheckpointError, match=r"huge\.safetensors: cut off"):
        read_tensors(path)


def test_write_tensors_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "weights.safetensors"
    write_tensors(path, {"a": torch.arange(3.0)}, {"model_cfg": {"dim": 3}})
    file = read_tensors(path)
    assert file.tensors["a"].tolist() == [0, 1, 2]
    assert file.config == {"model_cfg": {"dim": 3}}
    assert [p.name for p in path.parent.iterdir()] == ["weights.safetensors"]


def test_build_on_meta_takes_no_memory() -> None:
    path = Path("config.json")
    layer = build_on_meta(lambda: nn.Embedding(10**7, 10**7), path)
    with pytest.raises(
        CheckpointError, match=r"weights: weight is \(2, 3\), expected \(10000000, 10000000\)"
    ):
        load_into(layer, TensorFile(Path("weights"), {"weight": torch.ones(2, 3)}))


@pytest.mark.parametrize("sizes", [(-1, 2), (2**62, 2**62)])
def test_build_on_meta_refuses_sizes_that_no_network_has(sizes: tuple[int, int]) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: "):
        build_on_meta(lambda: nn.Linear(*sizes), Path("config.json"))


def test_load_into_keeps_the_module_s_dtype() -> None:
    file = TensorFile(Path("weights"), {"weight": torch.ones(2, 3).half(), "bias": torch.zeros(2).half()})
    for layer in (nn.Linear(3, 2), build_on_meta(lambda: nn.Linear(3, 2), Path("config.json"))):
        load_into(layer, file)
        assert layer(torch.ones(1, 3)).tolist() == [[3, 3]]
        assert layer.weight.requires_grad


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight": torch.ones(2, 3)}, "missing tensor bias"),
        (
            {"weight": torch.ones(2, 3), "bias": torch.ones(2), "more": torch.ones(1)},
            "unexpected tensor more",
        ),
        ({"weight": torch.ones(2, 4), "bias": torch.ones(2)}, r"weight is \(2, 4\), expected \(2, 3\)"),
    ],
)
def test_load_into_names_tensors_that_do_not_match(tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(CheckpointError, match=f"weights: {message}"):
        load_into(nn.Linear(3, 2), TensorFile(Path("weights"), tensors))


def test_write_tensors_gives_the_same_bytes_for_the_same_content(tmp_path: Path) -> None:
    config = {name: {"value é": [1, 2.5, None, '"quoted" \\ \n']} for name in "zyxabc"}
    tensors = {"b.weight": torch.arange(6.0).reshape(2, 3), "a": torch.ones(1, dtype=torch.int8)}
    written = set()
    for n in range(8):
        path = tmp_path / f"{n}.safetensors"
        write_tensors(path, tensors, config if n % 2 else dict(reversed(config.items())))
        written.add(path.read_bytes())
        content = read_tensors(path)
        assert content.config == config
        assert all(torch.equal(content.tensors[name], tensor) for name, tensor in tensors.items())
    assert len(written) == 1


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (torch.ones(2, 3, dtype=torch.int64), "weight is int64, expected floating-point numbers"),
        (torch.ones(2, 3, dtype=torch.complex64), "weight is complex64, expected"),
        (torch.ones(2, 3, dtype=torch.bool), "weight is bool, expected"),
        (torch.full((2, 3), float("nan")), "weight has values that are infinite or not a number"),
        (torch.full((2, 3), -float("inf")), "weight has values that are infinite"),
        (torch.full((2, 3), 1e300, dtype=torch.float64), "weight has values that are infinite"),
    ],
)
@pytest.mark.parametrize("lazily", [False, True])
def test_load_into_refuses_values_that_no_weight_has(
    tmp_path: Path, lazily: bool, weight: torch.Tensor, message: str
) -> None:
    path = tmp_path / "weights.safetensors"
    write_tensors(path, {"weight": weight, "bias": torch.ones(2)})
    layer = build_on_meta(lambda: nn.Linear(3, 2), Path("config.json"))
    cpu = torch.device("cpu")
    load = partial(load_lazily, layer, path, list_tensors(path), device_of=lambda name: cpu)
    with pytest.raises(CheckpointError, match=rf"weights\.safetensors: {message}"):
        load() if lazily else load_into(layer, read_tensors(path))


def test_write_tensors_on_a_full_disk(tmp_path: Path) -> None:
    """The limit on the size of a file stands for the disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(CheckpointError, match=r"new\.safetensors: can't be written .*File too large"):
            write_tensors(tmp_path / "new.safetensors", {"a": torch.zeros(9999)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())
