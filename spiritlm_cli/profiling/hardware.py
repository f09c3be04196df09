"""Peak speed of the device, floating-point operations of a computation, and peak memory of the process."""

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
    """Wait until a GPU has finished its queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def reset_peak_memory(device: torch.device) -> None:
    """Restart the measurement of `peak_memory`; has no effect on a CPU of systems other than Linux."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        # Return freed memory to the system, so that it doesn't count; not every C library can.
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
        # Some containers don't allow writing it.
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int:
    """Return the peak memory of this process in bytes: of a CUDA GPU, or else resident memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        # Not getrusage, whose peak includes that of the parent process before exec.
        status = Path("/proc/self/status").read_text()
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_maxrss


@torch.inference_mode()
def matrix_peak(device: torch.device, dtype: torch.dtype = torch.float32, tries: int = 30) -> float:
    """Measure the device's peak in FLOP/s: the fastest of some matrix products, by torch.matmul and, on a CPU, oneDNN.

    tries: runs of each product.
    """
    best = 0.0
    for size, width in product((512, 1024, 4096), (768, 3072)):
        x, weight = (torch.randn(rows, 768, device=device, dtype=dtype) for rows in (size, width))
        products: list[Callable[[], Any]] = [partial(torch.matmul, x, weight.T)]
        if device.type == "cpu" and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
            packed = torch.ops.mkldnn._reorder_linear_weight(weight, size)
            products.append(partial(torch.ops.mkldnn._linear_pointwise, x, packed, None, "none", [], ""))
        for multiply in products:
            for _ in range(tries):
                synchronize(device)
                start = time.perf_counter()
                multiply()
                synchronize(device)
                best = max(best, 2 * size * 768 * width / (time.perf_counter() - start))
    return best


def count_operations(compute: Callable[[], T]) -> tuple[T, int]:
    """Call a function; return its result and the floating-point operations of its matrix products, convolutions and
    attention."""
    with FlopCounterMode(display=False, custom_mapping=_counts()) as counter:
        result = compute()
    return result, counter.get_total_flops()


def _counts() -> dict[Any, Callable[..., int]]:
    """Return functions that count the operations of operators unknown to torch's counter, from argument shapes."""
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
    # The weight may follow a residual, and precede a bias, which has one dimension.
    weight: Sequence[int] = others[1] if others[1] is not None and len(others[1]) > 1 else others[0]
    return 2 * prod(out_shape) // out_shape[1] * prod(weight)
