"""Compiled functions, and their cache."""

from pathlib import Path

import numba
import numpy as np
import pytest

from spiritlm_cli import console
from spiritlm_cli.nn import compiled
from spiritlm_cli.nn.compiled import compile_function


def _twice(x: np.float32) -> np.float32:
    return x + x


@pytest.mark.filterwarnings("error")
def test_kernels_are_compiled_without_a_cache_folder() -> None:
    """numba has no cache folder for a function that is in no file, just as if it may not write to one."""
    names: dict[str, object] = {}
    exec("def twice(x): return x + x", names)
    assert compile_function("float32(float32)")(names["twice"])(2) == 4  # type: ignore[type-var,operator]


@pytest.mark.parametrize("kept", [0, 1, 20, 0.3, 0.7, 0.99, "noise", "folder"])
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_compile_function_writes_a_damaged_cache_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    suffix: str,
    kept: float | str,
) -> None:
    """As after a crash: nobody has to delete the files."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    monkeypatch.setattr(console.log, "propagate", True)

    def compile_twice() -> float:
        return compile_function("float32(float32)")(_twice)(np.float32(2))

    assert compile_twice() == 4
    (file,) = tmp_path.rglob(f"*{suffix}")
    content = file.read_bytes()
    if kept == "folder":
        file.unlink()
        file.mkdir()
        assert compile_twice() == 4
        return
    size = int(kept * len(content)) if isinstance(kept, float) else kept
    file.write_bytes(b"noise" * 9 if isinstance(size, str) else content[:size])
    compiled._report_damage.cache_clear()
    with caplog.at_level("WARNING"):
        assert [compile_twice(), compile_twice()] == [4, 4]
    assert file.stat().st_size == len(content)
    assert caplog.text.count("compiled again") == 1
