from pathlib import Path

import pytest
import torch

from spiritlm_cli.profiling.checks import devices
from spiritlm_cli.profiling.checks.devices import check_devices
from spiritlm_cli.profiling.checks.system import usable_cores

WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


def test_check_devices_names_the_cpu() -> None:
    cpu = check_devices()[0]
    assert (cpu.name, cpu.values["device"]) == ("cpu", "cpu")
    assert cpu.values["threads"] == torch.get_num_threads()


def test_check_devices_warns_of_too_many_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(usable_cores() + 1)
    try:
        cpu = check_devices()[0]
    finally:
        torch.set_num_threads(before)
    assert (cpu.status, cpu.command) == ("warning", f"export OMP_NUM_THREADS={usable_cores()}")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_check_devices_names_gpus() -> None:
    gpu = next(finding for finding in check_devices() if finding.name == "cuda:0")
    assert gpu.values["device"] == "cuda:0"


@WITHOUT_GPU
def test_check_devices_without_a_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "version")
    assert all(finding.status != "warning" for finding in check_devices()[1:])


@WITHOUT_GPU
def test_check_devices_with_a_driver_that_torch_can_t_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "version")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024\n"
    )
    gpu = next(finding for finding in check_devices() if finding.name == "GPU")
    assert gpu.status == "warning"
    assert "driver 550.54.15" in gpu.text
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    gpu = next(finding for finding in check_devices() if finding.name == "GPU")
    assert (gpu.status, gpu.text) == ("note", "hidden by CUDA_VISIBLE_DEVICES")
