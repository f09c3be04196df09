import subprocess
import sys
from pathlib import Path

import pytest

from spiritlm_cli.errors import MissingPackageError
from spiritlm_cli.third_party import needs_extra

# Files of a torchaudio that works, and of one that does not fit torch.
WORKING = {"__init__.py": ""}
BROKEN = {
    "__init__.py": "from . import _extension",
    "_extension.py": "raise OSError('libc10_cuda.so: missing')",
}
HIDE_INSTALLED = """
import importlib.abc, sys

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchaudio":
            raise ModuleNotFoundError("No module named 'torchaudio'", name=name)

sys.meta_path.insert(0, Hidden())
"""
REPORT = """
import importlib.util
import sys
from spiritlm_cli.third_party import hide_broken_torchaudio, torchaudio_works

def is_found():
    try:
        return importlib.util.find_spec("torchaudio") is not None
    except ModuleNotFoundError:
        return False

before = is_found()
with hide_broken_torchaudio():
    hidden = not is_found()
print(torchaudio_works(), hidden, "torchaudio" in sys.modules, is_found() == before)
"""


def run_python(code: str, folder: Path, python: str | Path = sys.executable) -> str:
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def write_torchaudio(folder: Path, files: dict[str, str]) -> None:
    (folder / "torchaudio").mkdir()
    for name, content in files.items():
        (folder / "torchaudio" / name).write_text(content)


def test_working_torchaudio_is_not_hidden(tmp_path: Path) -> None:
    write_torchaudio(tmp_path, WORKING)
    assert run_python(REPORT, tmp_path) == "True False True True"


def test_broken_torchaudio_is_hidden(tmp_path: Path) -> None:
    write_torchaudio(tmp_path, BROKEN)
    assert run_python(REPORT, tmp_path) == "False True False True"


def test_missing_torchaudio(tmp_path: Path) -> None:
    assert run_python(HIDE_INSTALLED + REPORT, tmp_path) == "False True False True"


@pytest.mark.parametrize("files", [WORKING, BROKEN], ids=["working", "broken"])
def test_transformers_and_fcpe_load_beside_any_torchaudio(
    tmp_path: Path, programs: Path, files: dict[str, str]
) -> None:
    write_torchaudio(tmp_path, files)
    code = """
assert not {"transformers", "torchaudio"} & set(sys.modules)
import spiritlm_cli.language.transformers_llama
from spiritlm_cli.speech.fcpe import Fcpe
from transformers.utils import is_torchaudio_available
Fcpe.load()
print(is_torchaudio_available(), sys.modules.get("torchaudio") is not None)
"""
    works = str(files is WORKING)
    assert run_python(code, tmp_path, programs / "python") == f"{works} {works}"


def test_needs_extra_of_an_installed_package() -> None:
    with needs_extra("json", extra="evaluate", purpose="tests"):
        import json
    assert json.loads("1") == 1


def test_needs_extra_names_the_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)
    expected = r"^jiwer is not installed; it is needed for tests; try: pip install 'spiritlm\[evaluate\]'$"
    with (
        pytest.raises(MissingPackageError, match=expected),
        needs_extra("jiwer", extra="evaluate", purpose="tests"),
    ):
        import jiwer  # noqa: F401


def test_needs_extra_reports_why_an_import_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brokenpackage.py").write_text("raise ImportError('libx.so: missing')")
    monkeypatch.syspath_prepend(tmp_path)
    with (
        pytest.raises(
            MissingPackageError, match=r"can't be imported \(libx\.so: missing\); try: pip install"
        ),
        needs_extra("brokenpackage", extra="evaluate", purpose="tests"),
    ):
        import brokenpackage  # noqa: F401


def test_transformers_without_docstrings_is_an_error(tmp_path: Path) -> None:
    code = (
        "from spiritlm_cli.third_party import hide_broken_torchaudio\nwith hide_broken_torchaudio(): pass\n"
    )
    result = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=False)
    message = (
        "MissingPackageError: the package transformers can't run without docstrings; start Python without -OO"
    )
    assert message in result.stderr
