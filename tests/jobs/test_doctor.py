"""`examine` and `run` on installations that are broken, and on one that works."""

from pathlib import Path

import pytest
from broken_packages import SitePackages

import spiritlm_cli
from spiritlm_cli.jobs import doctor
from spiritlm_cli.jobs.doctor import DoctorOptions, examine, run
from spiritlm_cli.profiling.checks.finding import Finding
from spiritlm_cli.profiling.checks.isolated import IsolatedProcess

VERSION = spiritlm_cli.__version__


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SitePackages:
    """A folder of packages that comes before the installed ones; spiritlm requires nothing there."""
    packages = SitePackages(tmp_path / "packages")
    packages.add("spiritlm", VERSION, code=None)
    monkeypatch.syspath_prepend(str(packages.folder))
    return packages


def examined(model: str = "nano") -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(model)}


def test_examine_what_works(packages: SitePackages) -> None:
    found = list(examine())
    assert not [finding for finding in found if finding.status == "broken"]
    tests = [finding.name for finding in found if finding.section == "Self-test"]
    assert tests[:3] == ["tokenize on cpu", "generate on cpu", "decode on cpu"]
    sections = list(dict.fromkeys(finding.section for finding in found))
    assert sections == ["Installation", "Machine", "Environment", "Models", "Devices", "Self-test"]


def test_the_self_test_says_once_that_a_model_is_not_there() -> None:
    with IsolatedProcess() as process:
        (finding,) = doctor._self_test(process, "nope", ["cpu", "cuda"])
    assert (finding.section, finding.name, finding.status) == ("Self-test", "model", "broken")
    assert finding.text.startswith("nope: no such folder")
    assert "leave out --model" in finding.remedy


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (
            "raise OSError('libcudart.so.13: cannot open shared object file')",
            "OSError: libcudart.so.13: cannot",
        ),
        (
            "raise ModuleNotFoundError(\"No module named 'torch'\")",
            "ModuleNotFoundError: No module named 'torch'",
        ),
        ("import os; os.abort()", "Python was ended by SIGABRT"),
    ],
)
def test_examine_a_torch_that_can_t_be_imported(packages: SitePackages, code: str, error: str) -> None:
    packages.add("torch", "2.13.0", code)
    packages.add("spiritlm", VERSION, code=None, requires=("torch>=2.11",))
    found = list(examine())
    broken = [finding for finding in found if finding.status == "broken"]
    assert [(finding.section, finding.name) for finding in broken] == [
        ("Packages", "torch"),
        ("Devices", "torch"),
        ("Self-test", "pipe"),
    ]
    assert error in broken[0].text
    assert error in broken[1].text
    assert ("nano", "ok") in [(finding.name, finding.status) for finding in found]


def test_examine_without_yaml(packages: SitePackages) -> None:
    packages.add("yaml", code="raise ImportError('broken')")
    packages.add("torch", code="raise ImportError('broken')")
    found = examined()
    assert (found["models"].status, found["models"].text) == ("broken", "ImportError: broken")


def test_examine_goes_on_if_a_check_fails(packages: SitePackages) -> None:
    packages.add("torch", code="raise ImportError('broken')")
    packages.add("spiritlm", VERSION, code=None, requires=("not a requirement @@",))
    found = examined()
    assert (found["check"].section, found["check"].status) == ("Packages", "warning")
    assert "not a requirement" in found["check"].text
    assert found["nano"].status == "ok"


def test_run_prints_a_report(packages: SitePackages, capsys: pytest.CaptureFixture[str]) -> None:
    packages.add("torch", code="raise ImportError('broken')")
    diagnosis = run(DoctorOptions())
    assert diagnosis.failed == 2
    out = capsys.readouterr().out
    assert out.startswith("Installation\n  ok       spiritlm: ")
    assert out.rstrip().endswith("Begin with the first that is broken.")
    assert doctor.Diagnosis(()).failed == 0
