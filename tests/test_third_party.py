import subprocess
import sys
from pathlib import Path

import pytest

# What a torchaudio on the path is made of: one that works, one that doesn't fit torch, and none.
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

def found():
    try:
        return importlib.util.find_spec("torchaudio") is not None
    except ModuleNotFoundError:
        return False

before = found()
with hide_broken_torchaudio():
    hidden = not found()
print(torchaudio_works(), hidden, "torchaudio" in sys.modules, found() == before)
"""


def run_python(code: str, folder: Path) -> str:
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def write_torchaudio(folder: Path, files: dict[str, str]) -> None:
    (folder / "torchaudio").mkdir()
    for name, content in files.items():
        (folder / "torchaudio" / name).write_text(content)


def test_a_torchaudio_that_works_is_left_alone(tmp_path: Path) -> None:
    write_torchaudio(tmp_path, WORKING)
    assert run_python(REPORT, tmp_path) == "True False True True"


def test_a_torchaudio_that_does_not_import_is_hidden(tmp_path: Path) -> None:
    write_torchaudio(tmp_path, BROKEN)
    assert run_python(REPORT, tmp_path) == "False True False True"


def test_no_torchaudio_is_no_torchaudio(tmp_path: Path) -> None:
    assert run_python(HIDE_INSTALLED + REPORT, tmp_path) == "False True False True"


@pytest.mark.parametrize("files", [WORKING, BROKEN], ids=["working", "broken"])
def test_transformers_imports_and_fcpe_loads(tmp_path: Path, files: dict[str, str]) -> None:
    write_torchaudio(tmp_path, files)
    code = """
import spiritlm_cli.language.transformers_llama
from spiritlm_cli.speech.fcpe import Fcpe
from transformers.utils import is_torchaudio_available
Fcpe.load()
print(is_torchaudio_available(), sys.modules.get("torchaudio") is not None)
"""
    works = str(files is WORKING)
    assert run_python(code, tmp_path) == f"{works} {works}"
