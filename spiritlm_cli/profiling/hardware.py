"""What this machine can do, and what this process has taken of it."""

import ctypes
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

T = TypeVar("T")


def synchronize(device: torch.device) -> None:
    """Wait for what a GPU has been given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def reset_peak_memory(device: torch.device) -> None:
    """Have `peak_memory` count from here on, where the system can: of a CUDA GPU, and on Linux."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        # What was freed and the C library holds on to is not what comes next; not every C library can let go of it.
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
        # some containers don't let it be written
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int:
    """Bytes, the most that this process has held: of a CUDA GPU's memory, else of the machine's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        # getrusage counts the process that started this one too
        status = Path("/proc/self/status").read_text()
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_maxrss


@torch.inference_mode()
def matrix_peak(device: torch.device, dtype: torch.dtype = torch.float32, tries: int = 30) -> float:
    """The most operations a second in products of big matrices, by torch.matmul or by oneDNN's own call."""
    best = 0.0
    for size, width in product((512, 1024, 4096), (768, 3072)):
        x, weight = (torch.randn(rows, 768, device=device, dtype=dtype) for rows in (size, width))
        ways: list[Callable[[], Any]] = [partial(torch.matmul, x, weight.T)]
        if device.type == "cpu" and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
            packed = torch.ops.mkldnn._reorder_linear_weight(weight, size)
            ways.append(partial(torch.ops.mkldnn._linear_pointwise, x, packed, None, "none", [], ""))
        for way in ways:
            for _ in range(tries):
                synchronize(device)
                begun = time.perf_counter()
                way()
                synchronize(device)
                best = max(best, 2 * size * 768 * width / (time.perf_counter() - begun))
    return best


def count_operations(work: Callable[[], T]) -> tuple[T, int]:
    """What `work` gives, and the floating-point operations in its matrix products, convolutions and attention."""
    with FlopCounterMode(display=False, custom_mapping=_counts()) as counter:
        result = work()
    return result, counter.get_total_flops()


def _counts() -> dict[Any, Callable[..., int]]:
    """How to count, by the shapes of their arguments, the operators that torch's counter does not know."""
    counts: dict[Any, Callable[..., int]] = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention
    }
    if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        counts[torch.ops.mkldnn._linear_pointwise] = _linear
        counts[torch.ops.mkldnn._convolution_pointwise] = _convolution
    return counts


def _attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any) -> int:
    return 2 * prod(query[:-1]) * key[-2] * (key[-1] + value[-1])


def _linear(x: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
    return 2 * prod(x) * weight[0]


def _convolution(_: Sequence[int], *others: Any, out_shape: Sequence[int], **__: Any) -> int:
    # a residual may stand before the weight, and a bias, which has one dimension, after it
    weight: Sequence[int] = others[1] if others[1] is not None and len(others[1]) > 1 else others[0]
    return 2 * prod(out_shape) // out_shape[1] * prod(weight)
