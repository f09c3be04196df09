import json
import subprocess
from pathlib import Path

import pytest
from broken_packages import SitePackages

import spiritlm_cli

START = """
import sys
sys.path.insert(0, {folder!r})
sys.argv = ["spiritlm", "doctor", *{arguments!r}]
from spiritlm_cli.__main__ import main
main()
"""


@pytest.fixture
def packages(tmp_path: Path) -> SitePackages:
    """A folder of packages in which torch can't be imported."""
    packages = SitePackages(tmp_path / "packages")
    packages.add("spiritlm", spiritlm_cli.__version__, code=None, requires=("torch>=2.11",))
    packages.add("torch", "2.13.0", code="raise OSError('libcudart.so.13: missing')")
    return packages


def run(
    programs: Path, packages: SitePackages, *arguments: str, after: str = "cat"
) -> subprocess.CompletedProcess[str]:
    """Run `spiritlm doctor ARGUMENTS | AFTER`, whose exit status is that of `doctor`."""
    code = START.format(folder=str(packages.folder), arguments=list(arguments))
    command = [
        "bash",
        "-c",
        '"$0" -c "$1" | $2; exit ${PIPESTATUS[0]}',
        str(programs / "python"),
        code,
        after,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_is_broken_is_reported_without_a_traceback(programs: Path, packages: SitePackages) -> None:
    result = run(programs, packages)
    assert (result.returncode, result.stderr) == (1, "")
    assert "  broken   torch: 2.13.0 can't be imported: OSError: libcudart.so.13: missing" in result.stdout
    assert "           $ pip install --force-reinstall --no-deps 'torch>=2.11'" in result.stdout


def test_json_of_what_is_broken(programs: Path, packages: SitePackages) -> None:
    result = run(programs, packages, "--json")
    assert (result.returncode, result.stderr) == (1, "")
    report = json.loads(result.stdout)
    assert report["works"] is False
    broken = [finding["section"] for finding in report["findings"] if finding["status"] == "broken"]
    assert broken == ["Packages", "Devices", "Self-test"]


def test_a_closed_pipe_ends_it_quietly(programs: Path, packages: SitePackages) -> None:
    result = run(programs, packages, after="head -n 1")
    assert (result.returncode, result.stdout, result.stderr) == (141, "Installation\n", "")


def test_a_checkpoint_with_a_file_cut_off(programs: Path, packages: SitePackages, tree: Path) -> None:
    hubert = next(tree.glob("speech_tokenizer/hubert_25hz/mhubert*"))
    hubert.write_bytes(hubert.read_bytes()[:1000])
    result = run(programs, packages, "--model", str(tree))
    assert result.returncode == 1
    assert f"--model: {hubert}: is cut off" in " ".join(result.stdout.split())
