from collections.abc import Iterator

import pytest
from broken_packages import SitePackages

from spiritlm_cli.profiling.checks.isolated import IsolatedProcess

IMPORT = "profiling.checks.imports:import_package"


@pytest.fixture
def process() -> Iterator[IsolatedProcess]:
    with IsolatedProcess() as process:
        yield process


def test_call_returns_findings(process: IsolatedProcess) -> None:
    result = process.call("profiling.checks.system:check_installation")
    assert result.error is None
    assert [finding.name for finding in result.findings] == ["spiritlm", "Python", "system"]


def test_call_after_failures_and_crashes(process: IsolatedProcess, packages: SitePackages) -> None:
    packages.add("works", code="print('noise on stdout')")
    packages.add("unfit", code="raise OSError('libc10_cuda.so: missing')")
    packages.add("quits", code="raise SystemExit(3)")
    packages.add("aborts", code="import os; os.abort()")
    packages.add("vanishes", code="import os; os._exit(7)")
    errors = {name: process.call(IMPORT, name).error for name in ("unfit", "works", "quits", "absent")}
    assert errors == {
        "unfit": "OSError: libc10_cuda.so: missing",
        "works": None,
        "quits": "SystemExit: 3",
        "absent": "ModuleNotFoundError: No module named 'absent'",
    }
    assert process.call(IMPORT, "aborts").error == "Python was ended by SIGABRT (Aborted)"
    assert process.call(IMPORT, "works").error is None
    assert process.call(IMPORT, "vanishes").error == "Python ended, with exit status 7"
    assert process.call(IMPORT, "works").error is None


def test_call_that_does_not_return_is_given_up(packages: SitePackages) -> None:
    packages.add("hangs", code="import threading; threading.Event().wait()")
    with IsolatedProcess(patience=0.3) as process:
        assert process.call(IMPORT, "hangs").error == "no result within 0.3 s"


def test_call_without_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with IsolatedProcess() as process:
        error = process.call(IMPORT, "json").error
    assert error is not None
    assert error.startswith("FileNotFoundError: ")
