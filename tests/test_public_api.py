import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import spiritlm_cli
from spiritlm_cli import errors


def run_python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_import_loads_no_large_package() -> None:
    loaded = run_python("import sys, spiritlm_cli; print(*sorted(sys.modules))").split()
    assert not {"torch", "transformers", "torchaudio", "numpy", "typer"} & set(loaded)
    assert [name for name in loaded if name.startswith("spiritlm_cli.")] == []


def test_names_without_models_load_no_torch() -> None:
    names = (
        "Sequence, Units, Waveform, parse_line, format_line, interleave, read_audio, write_audio, TokenError"
    )
    assert (
        run_python(f"import sys; from spiritlm_cli import {names}; print('torch' in sys.modules)") == "False"
    )


@pytest.mark.parametrize("name", spiritlm_cli.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    assert getattr(spiritlm_cli, name).__doc__


def test_all_errors_are_public() -> None:
    classes = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    assert classes <= set(spiritlm_cli.__all__)


def test_type_checkers_see_what_is_imported_lazily() -> None:
    """The imports under TYPE_CHECKING name the same objects as the lazy ones."""
    seen = {}
    for node in ast.walk(ast.parse(Path(spiritlm_cli.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("spiritlm_cli."):
            seen.update(
                {
                    alias.name: getattr(importlib.import_module(str(node.module)), alias.name)
                    for alias in node.names
                }
            )
    assert seen == {name: getattr(spiritlm_cli, name) for name in spiritlm_cli.__all__}


def test_dir_lists_the_public_names() -> None:
    assert set(spiritlm_cli.__all__) <= set(dir(spiritlm_cli))
    assert "__version__" in dir(spiritlm_cli)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'hear'"):
        spiritlm_cli.hear  # noqa: B018
    with pytest.raises(ImportError):
        exec("from spiritlm_cli import hear")


def test_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from spiritlm_cli import *", names)
    assert set(spiritlm_cli.__all__) <= set(names)
