import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from broken_packages import SitePackages

import spiritlm_cli
from spiritlm_cli.profiling.checks.finding import Finding
from spiritlm_cli.profiling.checks.system import check_installation, check_machine, usable_cores

Machine = Callable[..., dict[str, Finding]]

CPU = "model name\t: A Processor\nflags\t\t: fpu avx2 avx512f amx_bf16\n"
MEMORY = "MemTotal:       16000000 kB\nMemAvailable:   8000000 kB\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Check a machine whose files of /proc and /sys have these contents."""

    def check(**files: str) -> dict[str, Finding]:
        contents = {"proc/cpuinfo": CPU, "proc/meminfo": MEMORY, "proc/self/cgroup": "0::/job\n", **files}
        for name, content in contents.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return {finding.name: finding for finding in check_machine(tmp_path)}

    return check


def test_check_installation(packages: SitePackages) -> None:
    packages.add("spiritlm", spiritlm_cli.__version__, code=None)
    package, python, system = check_installation()
    assert (package.status, package.values["version"]) == ("ok", spiritlm_cli.__version__)
    assert (python.status, python.values["executable"]) == ("ok", sys.executable)
    assert system.status == "ok"


def test_check_installation_of_another_version(packages: SitePackages) -> None:
    packages.add("spiritlm", "0.0.1", code=None)
    package = next(check_installation())
    assert (package.status, package.command) == ("warning", "pip install -e .")
    assert "pip installed 0.0.1" in package.text


def test_check_installation_that_pip_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    package, python, _ = check_installation()
    assert package.status == "warning"
    assert package.text.endswith("not installed by pip")
    assert python.status == "ok"


def test_check_machine(machine: Machine) -> None:
    found = machine()
    assert found["processor"].status == "ok"
    assert found["processor"].text.startswith("A Processor, ")
    assert found["processor"].text.endswith("; AVX2, AVX-512, AMX bfloat16")
    assert found["processor"].values["usable_cores"] == usable_cores()
    assert found["memory"].text == "16.4 GB in all, 8.2 GB available"


def test_check_machine_of_a_container(machine: Machine) -> None:
    found = machine(
        **{
            "sys/fs/cgroup/job/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
            "sys/fs/cgroup/job/memory.max": "max\n",
            "sys/fs/cgroup/job/memory.current": "1000\n",
            "sys/fs/cgroup/memory.max": "4000000000\n",
            "sys/fs/cgroup/memory.current": "3500000000\n",
            "sys/fs/cgroup/memory.stat": "active_file 7\ninactive_file 500000000\n",
        }
    )
    assert (found["processor"].status, found["processor"].values["quota"]) == ("warning", 0.5)
    assert found["processor"].command == "export OMP_NUM_THREADS=1"
    assert found["memory"].status == "warning"
    assert found["memory"].text.endswith("the container is limited to 4.0 GB, of which 1.0 GB are free")
    assert found["memory"].values["available"] == 1_000_000_000


def test_check_machine_of_an_older_container(machine: Machine) -> None:
    v1 = "sys/fs/cgroup/memory/memory"
    found = machine(**{f"{v1}.limit_in_bytes": "5000000000", f"{v1}.usage_in_bytes": "1000000000"})
    assert found["memory"].values["limit"] == 5_000_000_000
    assert found["memory"].status == "ok"


def test_check_machine_without_these_files(tmp_path: Path) -> None:
    found = {finding.name: finding for finding in check_machine(tmp_path)}
    assert {"processor", "memory"} <= found.keys()


@pytest.mark.parametrize(("limit", "status"), [(8 << 30, "warning"), (1 << 40, "note")])
def test_check_machine_names_a_limit_of_the_address_space(machine: Machine, limit: int, status: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        finding = machine()["address space"]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert finding.status == status
    assert "ulimit -v" in finding.text
