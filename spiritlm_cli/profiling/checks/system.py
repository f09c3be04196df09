"""The installation of this package and of Python, and the machine: processor, memory, and limits of the process."""

import os
import platform
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import spiritlm_cli
from spiritlm_cli.console import byte_count
from spiritlm_cli.profiling.checks.finding import Finding, Status, Value
from spiritlm_cli.profiling.checks.packages import DISTRIBUTION
from spiritlm_cli.profiling.checks.requirements import satisfies

# Below this much free memory, a long file or a large batch may not fit.
LITTLE_MEMORY = 2e9
# Libraries map far more memory than they use, above all those for CUDA.
LITTLE_ADDRESS_SPACE = 64e9
# Instruction sets that make networks faster, as Linux calls them, and as people do.
_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 bfloat16",
    "amx_bf16": "AMX bfloat16",
    "amx_int8": "AMX int8",
    "asimd": "NEON",
    "bf16": "NEON bfloat16",
}


def check_installation() -> Iterator[Finding]:
    """Check the installation of this package, and Python."""
    version, folder = spiritlm_cli.__version__, Path(spiritlm_cli.__file__).parent
    text, remedy = f"{version}, in {folder}", ""
    try:
        installed = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        text += ", not installed by pip"
        remedy = "what it requires is not known, and not checked; in its source folder:"
    else:
        if installed != version:
            text += f"; but pip installed {installed}, whose requirements are checked below"
            remedy = "in its source folder:"
    status: Status = "warning" if remedy else "ok"
    values = {"version": version, "folder": str(folder)}
    yield Finding(
        "Installation", DISTRIBUTION, status, text, remedy, "pip install -e ." if remedy else "", values
    )
    yield _python()
    yield Finding("Installation", "system", "ok", platform.platform(), values={"machine": platform.machine()})


def _python() -> Finding:
    version = platform.python_version()
    environment = "" if sys.prefix == sys.base_prefix else ", in a virtual environment"
    text, values = (
        f"{version}{environment}: {sys.executable}",
        {"version": version, "executable": sys.executable},
    )
    wanted = ">=3.10"
    with suppress(metadata.PackageNotFoundError):
        wanted = metadata.metadata(DISTRIBUTION)["Requires-Python"] or wanted
    if not satisfies(version, wanted):
        return Finding(
            "Installation", "Python", "broken", text, f"install a Python of version {wanted}", "", values
        )
    if sys.flags.optimize > 1:
        text += "; it runs without docstrings, of which transformers makes code"
        remedy = "start Python without -OO, and unset PYTHONOPTIMIZE"
        return Finding("Installation", "Python", "broken", text, remedy, "", values)
    return Finding("Installation", "Python", "ok", text, values=values)


def check_machine(root: Path = Path("/")) -> Iterator[Finding]:
    """Check processor, memory and limits. root: of the file systems of Linux that tell of them."""
    yield _processor(root)
    yield _memory(root)
    yield from _limits()
    yield from _shared_memory(root / "dev/shm")


def usable_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor(root: Path) -> Finding:
    info = _read(root / "proc/cpuinfo")
    names = re.findall(r"(?m)^model name\s*:\s*(.+)", info)
    flags = set(" ".join(re.findall(r"(?m)^(?:flags|Features)\s*:\s*(.+)", info)).split())
    sets = [name for flag, name in _SETS.items() if flag in flags]
    cores, usable = os.cpu_count() or 1, usable_cores()
    text = f"{names[0] if names else platform.processor() or platform.machine()}, {usable} of {cores} cores usable"
    if sets:
        text += f"; {', '.join(sets)}"
    values: dict[str, Value] = {"cores": cores, "usable_cores": usable, "instruction_sets": ", ".join(sets)}
    quota = _cgroup_cores(root)
    if quota is not None and quota < usable:
        text += f"; but the container allows the time of {quota:g} only"
        remedy = "with more threads than that, they wait for each other; set the number of threads:"
        command = f"export OMP_NUM_THREADS={max(1, int(quota))}"
        return Finding("Machine", "processor", "warning", text, remedy, command, values | {"quota": quota})
    return Finding("Machine", "processor", "ok", text, values=values)


def _memory(root: Path) -> Finding:
    numbers = {
        key: 1024 * int(kb) for key, kb in re.findall(r"(?m)^(\w+):\s*(\d+) kB", _read(root / "proc/meminfo"))
    }
    total, available = numbers.get("MemTotal"), numbers.get("MemAvailable")
    if total is None:
        with suppress(ValueError, OSError):
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    text = f"{byte_count(total)} in all" if total else "of unknown size"
    if available is not None:
        text += f", {byte_count(available)} available"
    limit, used = _cgroup_memory(root)
    if limit is not None and limit < (total or limit + 1):
        text += f"; the container is limited to {byte_count(limit)}, "
        text += f"of which {byte_count(max(0, limit - used))} are free"
        available = min(limit - used, limit if available is None else available)
    values = {"total": total, "available": available, "limit": limit}
    if available is not None and available < LITTLE_MEMORY:
        remedy = "end other programs, or give the container more; lower --batch-seconds and --batch-size if it runs out"
        return Finding("Machine", "memory", "warning", text, remedy, "", values)
    return Finding("Machine", "memory", "ok", text, values=values)


def _limits() -> Iterator[Finding]:
    """Limits of the process that make trouble."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        text = f"{byte_count(soft)} (ulimit -v); libraries map far more than they use, and fail with less"
        if soft < LITTLE_ADDRESS_SPACE:
            yield Finding("Machine", "address space", "warning", text, command="ulimit -v unlimited")
        else:
            yield Finding("Machine", "address space", "note", text, values={"limit": soft})
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft != resource.RLIM_INFINITY:
        text = f"limited to {byte_count(soft)} (ulimit -f), beyond which outputs can't grow"
        yield Finding("Machine", "size of files", "warning", text, command="ulimit -f unlimited")


def _shared_memory(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        return
    with suppress(OSError):
        status = os.statvfs(folder)
        total = status.f_frsize * status.f_blocks
        if total < 1e9:
            text = f"{byte_count(total)}, which is little for `--ray`: its objects are there"
            remedy = "start the container with --shm-size=8g"
            yield Finding("Machine", "/dev/shm", "note", text, remedy, values={"total": total})


def _cgroup_folders(root: Path) -> Iterator[Path]:
    """The folders of the control group of this process (version 2), from its own up to the root."""
    base = root / "sys/fs/cgroup"
    match = re.search(r"(?m)^0::/(.*)$", _read(root / "proc/self/cgroup"))
    folder = base / match[1] if match else base
    for one in (folder, *folder.parents):
        yield one
        if one == base:
            return


def _cgroup_cores(root: Path) -> float | None:
    """Processor time that the control group may use, in cores; None without a limit."""
    quotas = []
    for folder in _cgroup_folders(root):
        match = re.match(r"(\d+) (\d+)", _read(folder / "cpu.max"))
        if match and int(match[2]):
            quotas.append(int(match[1]) / int(match[2]))
    return min(quotas, default=None)


def _cgroup_memory(root: Path) -> tuple[int | None, int]:
    """The tightest limit of the memory of the control group in bytes, None without one, and what of it is used."""
    limits = []
    for folder in _cgroup_folders(root):
        limit, used = _read(folder / "memory.max").strip(), _read(folder / "memory.current").strip()
        # The cache of files counts as used, and is given up when memory is short.
        match = re.search(r"(?m)^inactive_file (\d+)$", _read(folder / "memory.stat"))
        if limit.isdecimal() and used.isdecimal():
            limits.append((int(limit), int(used) - (int(match[1]) if match else 0)))
    v1 = root / "sys/fs/cgroup/memory"
    limit, used = _read(v1 / "memory.limit_in_bytes").strip(), _read(v1 / "memory.usage_in_bytes").strip()
    # Without a limit, the number is about 2**63.
    if limit.isdecimal() and used.isdecimal() and int(limit) < 1 << 60:
        limits.append((int(limit), int(used)))
    return min(limits, key=lambda one: one[0] - one[1], default=(None, 0))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
