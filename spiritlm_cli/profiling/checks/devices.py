"""The devices that torch can compute on; called in an `IsolatedProcess`."""

import os
import platform
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from spiritlm_cli.console import byte_count
from spiritlm_cli.profiling.checks.finding import Finding, Value, reason
from spiritlm_cli.profiling.checks.system import usable_cores

# Where the driver of NVIDIA's GPUs says its version.
DRIVER = Path("/proc/driver/nvidia/version")


def check_devices() -> Sequence[Finding]:
    """Check CPU and GPUs. The value `device` of a finding is the name of a device that can be tried."""
    return [_cpu(), *_cuda(), *_mps()]


def _cpu() -> Finding:
    threads, capability = torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()
    has_kernels = hasattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported")
    bfloat16 = has_kernels and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    text = f"{'1 thread' if threads == 1 else f'{threads} threads'} of torch, {capability}"
    text += ", bfloat16 in hardware" if bfloat16 else ", no bfloat16 in hardware: --dtype bfloat16 is slow"
    values: dict[str, Value] = {
        "device": "cpu",
        "threads": threads,
        "capability": capability,
        "bfloat16": bfloat16,
    }
    cores = usable_cores()
    if threads > cores:
        remedy = f"there are {cores} cores for them; more threads wait for each other:"
        return Finding("Devices", "cpu", "warning", text, remedy, f"export OMP_NUM_THREADS={cores}", values)
    return Finding("Devices", "cpu", "ok", text, values=values)


def _cuda() -> Iterator[Finding]:
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else ""
    built = f"ROCm {torch.version.hip}" if getattr(torch.version, "hip", None) else built
    driver = _driver()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if available:
        for index in range(torch.cuda.device_count()):
            yield _gpu(index, built, driver)
    elif driver and os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        yield Finding("Devices", "GPU", "note", "hidden by CUDA_VISIBLE_DEVICES")
    elif driver and not built:
        text = (
            f"not usable: its driver {driver} is there, but torch {torch.__version__} is built for CPUs only"
        )
        remedy = "install torch by the command that https://pytorch.org/get-started gives for this GPU"
        yield Finding("Devices", "GPU", "warning", text, remedy)
    elif driver:
        why = f": {reason(caught[-1].message)}" if caught and isinstance(caught[-1].message, Warning) else ""
        text = f"not usable by torch, built for {built}, with driver {driver}{why}"
        remedy = (
            "see that CUDA_VISIBLE_DEVICES does not hide it, and that the driver is new enough for that CUDA"
        )
        yield Finding("Devices", "GPU", "warning", text, remedy)
    elif not _has_mps():
        yield Finding("Devices", "GPU", "note", f"none; torch is built for {built or 'CPUs only'}")


def _gpu(index: int, built: str, driver: str) -> Finding:
    name = f"cuda:{index}"
    try:
        properties = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
    # A GPU that is lost, or that another process has for itself.
    except Exception as error:
        remedy = "see what `nvidia-smi` says of it; a restart of the machine may bring it back"
        return Finding("Devices", name, "warning", reason(error), remedy)
    text = f"{properties.name}, {byte_count(total)} with {byte_count(free)} free, compute capability "
    text += f"{properties.major}.{properties.minor}; torch for {built}" + (
        f", driver {driver}" if driver else ""
    )
    values: dict[str, Value] = {
        "device": name, "gpu": properties.name, "total": total, "free": free, "built_for": built, "driver": driver,
    }  # fmt: skip
    if free < 1e9:
        remedy = "end the programs that use it, which `nvidia-smi` lists, or choose another with --device"
        return Finding("Devices", name, "warning", text, remedy, "", values)
    return Finding("Devices", name, "ok", text, values=values)


def _driver() -> str:
    """The version of NVIDIA's driver; empty if there is none."""
    try:
        match = re.search(r"Kernel Module\D*([\d.]+)", DRIVER.read_text(errors="replace"))
    except OSError:
        return ""
    return match[1] if match else "of unknown version"


def _has_mps() -> bool:
    return torch.backends.mps.is_built() and torch.backends.mps.is_available()


def _mps() -> Iterator[Finding]:
    if _has_mps():
        yield Finding("Devices", "mps", "ok", f"the GPU of {platform.machine()}", values={"device": "mps"})
    elif platform.system() == "Darwin":
        yield Finding(
            "Devices", "mps", "note", "not usable: it needs Apple silicon, and a torch that is built for it"
        )
