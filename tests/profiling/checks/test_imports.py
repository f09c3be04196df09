import pytest
from broken_packages import SitePackages

from spiritlm_cli.profiling.checks.imports import import_package


def test_import_package(packages: SitePackages) -> None:
    packages.add("doctor-unfit", code="raise OSError('libc10_cuda.so: missing')")
    assert import_package("json") == ()
    with pytest.raises(OSError, match="libc10_cuda"):
        import_package("doctor_unfit")
    with pytest.raises(ModuleNotFoundError):
        import_package("doctor_absent")
