"""What the tests of the checks share."""

from pathlib import Path

import pytest
from broken_packages import SitePackages


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SitePackages:
    """A folder of packages that comes before the installed ones."""
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    return SitePackages(tmp_path / "packages")
