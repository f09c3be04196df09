"""Batch sizes for a device, and trimming the heap."""

import pytest
import torch

from spiritlm_cli.nn.memory import Trimmer, default_batch_seconds


def test_trimmer_trims_once_in_so_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmer, trims = Trimmer(every=3), []
    monkeypatch.setattr(trimmer, "_trim", trims.append)
    for _ in range(7):
        trimmer()
    assert trims == [0, 0]
    monkeypatch.setattr(trimmer, "_trim", None)  # as without glibc
    for _ in range(3):
        trimmer()


@pytest.mark.parametrize(("free", "seconds"), [(0, 20), (32 << 30, 1024), (1 << 40, 1200)])
def test_default_batch_seconds(free: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_batch_seconds(torch.device("cpu")) == 20
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 1 << 41))
    assert default_batch_seconds(torch.device("cuda")) == seconds
