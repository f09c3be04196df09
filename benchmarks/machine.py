"""What a machine can do and what a process has taken of it. device: "cpu", "cuda", "cuda:1" …"""

import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch


def synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def peak_memory(device: str) -> int:
    """Bytes: of the GPU's memory, or of the machine's."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # On Linux that counts the process that started this one too.
    status = Path("/proc/self/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


@torch.inference_mode()
def matrix_peak(device: str) -> float:
    """The most float32 operations a second in a product of big matrices, by torch.matmul or by oneDNN's own call."""
    best = 0.0
    for size, width in product((512, 1024, 4096), (768, 3072)):
        x, weight = torch.randn(size, 768, device=device), torch.randn(width, 768, device=device)
        ways: list[Callable[[], Any]] = [partial(torch.matmul, x, weight.T)]
        if device == "cpu" and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
            packed = torch.ops.mkldnn._reorder_linear_weight(weight, size)
            ways.append(partial(torch.ops.mkldnn._linear_pointwise, x, packed, None, "none", [], ""))
        for way in ways:
            for _ in range(30):
                synchronize(device)
                begun = time.perf_counter()
                way()
                synchronize(device)
                best = max(best, 2 * size * 768 * width / (time.perf_counter() - begun))
    return best
