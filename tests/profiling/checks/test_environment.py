import tempfile

import pytest

from spiritlm_cli.profiling.checks.environment import check_environment
from spiritlm_cli.profiling.checks.system import usable_cores


def test_check_environment_names_what_is_set() -> None:
    variables = {
        "HF_HUB_OFFLINE": "1",
        "PATH": "/bin",
        "LD_PRELOAD": "/scratch\x1b[2J",
        "CUDA_VISIBLE_DEVICES": "",
    }
    found = {finding.name: finding for finding in check_environment(variables)}
    assert set(found) == {"HF_HUB_OFFLINE", "LD_PRELOAD", "CUDA_VISIBLE_DEVICES"}
    assert {finding.status for finding in found.values()} == {"note"}
    assert found["LD_PRELOAD"].text.startswith("/scratch?[2J: ")
    assert found["CUDA_VISIBLE_DEVICES"].text.startswith("(empty): ")


def test_check_environment_without_variables() -> None:
    (finding,) = check_environment({"PATH": "/bin"})
    assert finding.status == "ok"


def test_check_environment_hides_tokens() -> None:
    (finding,) = check_environment({"HF_TOKEN": "hf_secret"})
    assert "hf_secret" not in str(finding)
    (finding,) = check_environment({"HF_ENDPOINT": "https://me:my%20secret@hub.local:8443/a@b"})
    assert finding.text.startswith("https://(hidden)@hub.local:8443/a@b: ")
    assert "secret" not in str(finding)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("OMP_NUM_THREADS", "1", "note"),
        ("OMP_NUM_THREADS", "1,1", "note"),
        ("OMP_NUM_THREADS", str(usable_cores() + 1), "warning"),
        ("OMP_NUM_THREADS", "many", "warning"),
        ("TMPDIR", tempfile.gettempdir(), "note"),
        ("TMPDIR", "/proc/none", "warning"),
        ("NVIDIA_TF32_OVERRIDE", "0", "note"),
        ("NVIDIA_TF32_OVERRIDE", "1", "warning"),
        ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16", "warning"),
        ("ONEDNN_DEFAULT_FPMATH_MODE", "STRICT", "note"),
    ],
)
def test_check_environment_warns_of_values(name: str, value: str, status: str) -> None:
    (finding,) = check_environment({name: value})
    assert finding.status == status
    assert finding.command == (f"unset {name}" if status == "warning" else "")
