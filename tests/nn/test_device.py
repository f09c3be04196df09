"""Devices and dtypes by name."""

import numpy as np
import pytest
import torch

from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.nn.device import check_finite, find_device, find_dtype, seed_torch, to_device


def test_find_device_disables_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert find_device("cpu") == torch.device("cpu")
    assert not torch.backends.cudnn.allow_tf32
    assert find_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["cuda:99", "tpu", ""])
def test_find_device_refuses(name: str) -> None:
    with pytest.raises(SpiritLMError, match=f"device {name} can't be used"):
        find_device(name)


def test_find_dtype() -> None:
    cpu = torch.device("cpu")
    assert find_dtype("float32", cpu) is torch.float32
    assert find_dtype("bfloat16", cpu) is torch.bfloat16
    assert find_dtype("float16", torch.device("cuda")) is torch.float16
    with pytest.raises(SpiritLMError, match="float16 needs a GPU"):
        find_dtype("float16", cpu)


def test_to_device_keeps_values_and_dtype() -> None:
    tensor = to_device(np.array([[1, 2]], np.int64), torch.device("cpu"))
    assert (tensor.tolist(), tensor.dtype) == ([[1, 2]], torch.int64)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_check_finite(value: float) -> None:
    check_finite([torch.ones(3), torch.empty(0)])
    with pytest.raises(SpiritLMError, match="infinite or not a number"):
        check_finite([torch.ones(3), torch.tensor([1.0, value])])


def test_seed_torch() -> None:
    drawn = []
    for seed in (1, 2, 1):
        seed_torch(seed, torch.device("cpu"))
        drawn.append(torch.rand(1).item())
    assert drawn[0] == drawn[2] != drawn[1]
