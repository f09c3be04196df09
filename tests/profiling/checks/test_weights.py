import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spiritlm_cli.checkpoints.checkpoint import NANO
from spiritlm_cli.profiling.checks.weights import damaged_files, find_fault, weights_size


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with a file of each kind."""
    save_file({"a": torch.zeros(100), "b": torch.ones(3)}, tmp_path / "a.safetensors")
    save_file({}, tmp_path / "empty.safetensors")
    torch.save({"a": torch.zeros(100)}, tmp_path / "b.pt")
    torch.save({"a": torch.zeros(100)}, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    (tmp_path / "notes.txt").touch()
    return tmp_path


def faults(folder: Path) -> dict[str, str]:
    return {path.name: fault for path, fault in damaged_files(folder)}


def test_whole_files(weights: Path, release_tree: Path) -> None:
    for folder in (weights, release_tree, NANO):
        assert faults(folder) == {}
    assert weights_size(weights) == sum(path.stat().st_size for path in weights.glob("*.*"))


@pytest.mark.parametrize("keep", [0, 1, 7, 20, -1])
@pytest.mark.parametrize("name", ["a.safetensors", "b.pt"])
def test_files_that_are_cut_off(weights: Path, name: str, keep: int) -> None:
    content = (weights / name).read_bytes()
    (weights / name).write_bytes(content[:keep])
    # Of a ZIP file of which not even the first two bytes are left, it is not known that it was one.
    if (name, keep) != ("b.pt", 1):
        assert list(faults(weights)) == [name]


@pytest.mark.parametrize("name", ["a.safetensors", "b.pt", "old.bin"])
def test_pointers_of_git_lfs(weights: Path, name: str) -> None:
    (weights / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "git lfs pull" in faults(weights)[name]


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{",
        b'{"a": {"data_offsets": []}}',
        b'{"a": 1}',
        b"[" * 5000,
        b'{"a": {"data_offsets": [0, "x"]}}',
    ],
)
def test_headers_that_are_none(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert find_fault(path) is not None


def test_missing_targets_and_shards(weights: Path) -> None:
    (weights / "link.pt").symlink_to(weights / "nowhere")
    index = {"weight_map": {"a": "a.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (weights / "model.safetensors.index.json").write_text(json.dumps(index))
    assert faults(weights) == {
        "link.pt": "is missing: a link without its target",
        "model.safetensors.index.json": "lists files that are missing: model-00002-of-00002.safetensors",
    }
    (weights / "model.safetensors.index.json").write_text("[]")
    assert faults(weights)["model.safetensors.index.json"] == "can't be read as an index of weights"
