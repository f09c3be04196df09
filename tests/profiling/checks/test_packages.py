from importlib import metadata

import pytest
from broken_packages import SitePackages

from spiritlm_cli.profiling.checks.finding import Finding
from spiritlm_cli.profiling.checks.isolated import CallResult
from spiritlm_cli.profiling.checks.packages import (
    check_dependencies,
    check_extras,
    read_requirements,
    reinstall_command,
)
from spiritlm_cli.profiling.checks.requirements import Requirement

BROKEN = {
    "unfit": "OSError: libc10_cuda.so: missing",
    "torchaudio": "OSError: symbol not found",
    "lacking": "ModuleNotFoundError: No module named 'x'",
}


def import_module(name: str) -> CallResult:
    """What another process would answer."""
    return CallResult(error=BROKEN.get(name))


def dependencies(packages: SitePackages, *requirements: str) -> list[Finding]:
    packages.add("spiritlm", code=None, requires=requirements)
    return list(check_dependencies(read_requirements(), import_module))


def extras(packages: SitePackages, *requirements: str) -> list[Finding]:
    packages.add("spiritlm", code=None, requires=requirements)
    return list(check_extras(read_requirements(), import_module))


def test_reinstall_command_names_the_folder_it_came_from(packages: SitePackages) -> None:
    packages.add("spiritlm", code=None)
    command = "pip install --force-reinstall --no-deps"
    assert reinstall_command() == f"{command} spiritlm"
    record = packages.folder / "spiritlm-1.0.dist-info" / "direct_url.json"
    for content, source in (
        ('{"url": "file:///home/me/my%20code", "dir_info": {}}', "'/home/me/my code'"),
        ('{"url": "https://some.where/a.whl"}', "spiritlm"),
        ("[", "spiritlm"),
    ):
        record.write_text(content)
        assert reinstall_command() == f"{command} {source}"


def test_read_requirements(packages: SitePackages) -> None:
    packages.add("spiritlm", code=None, requires=("numpy>=1.26", 'ray[data]>=2; extra == "ray"'))
    assert read_requirements() == [
        Requirement("numpy", (), ">=1.26"),
        Requirement("ray", ("data",), ">=2", "ray"),
    ]


def test_check_dependencies(packages: SitePackages) -> None:
    packages.add("works", "1.5")
    packages.add("unfit", "1.5")
    packages.add("old", "0.9")
    packages.add("lacking", "1.5")
    packages.add("torchaudio", "2.11")
    packages.add("odd", "unknown")
    wanted = ("works>=1", "unfit>=1,<2", "old>=1", "doctor-absent>=3", "torchaudio>=2", "odd>=1", "lacking")
    works, unfit, old, absent, torchaudio, odd, lacking = dependencies(packages, *wanted)
    assert (works.status, works.text, works.values) == ("ok", "1.5 (needs >=1)", {"version": "1.5"})
    assert (unfit.status, unfit.text) == ("broken", "1.5 can't be imported: OSError: libc10_cuda.so: missing")
    assert unfit.command == "pip install --force-reinstall --no-deps 'unfit>=1,<2'"
    assert (old.status, old.command) == ("warning", "pip install 'old>=1'")
    assert (absent.status, absent.text) == ("broken", "is not installed")
    assert absent.command == "pip install 'doctor-absent>=3'"
    assert torchaudio.status == "warning"
    assert "CTC alignment works without it" in torchaudio.remedy
    assert not torchaudio.command
    assert odd.status == "note"
    assert (lacking.status, lacking.command) == ("broken", "pip install --force-reinstall lacking")


def test_check_extras(packages: SitePackages) -> None:
    packages.add("works")
    packages.add("unfit")
    all_of = (
        "works",
        'works; extra == "plot"',
        'doctor-absent>=3; extra == "vllm"',
        'unfit; extra == "quantize"',
        'spiritlm[quantize]; extra == "dev"',
        'works; extra == "new"',
    )
    found = {finding.name: finding for finding in extras(packages, *all_of)}
    assert list(found) == ["plot", "quantize", "vllm", "dev", "new"]
    assert (found["plot"].status, found["plot"].text) == ("ok", "complete (`inspect --plot`)")
    assert (found["vllm"].status, found["vllm"].command) == ("note", "pip install 'spiritlm[vllm]'")
    assert found["vllm"].values == {"missing": "doctor-absent>=3"}
    for extra in ("quantize", "dev"):
        assert found[extra].status == "warning"
        assert found[extra].text.startswith("unfit 1.0 can't be imported: OSError")
    assert found["new"].text == "complete"


def test_read_requirements_of_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(metadata.PackageNotFoundError):
        read_requirements()
