import gc
import sys
from pathlib import Path

import pytest

from spiritlm_cli.cli.imports import importing


def test_importing_leaves_out_what_was_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_once.py").write_text("VALUES = [[] for _ in range(1000)]\n")
    monkeypatch.syspath_prepend(tmp_path)
    frozen = gc.get_freeze_count()
    with importing():
        assert not gc.isenabled()
        import imported_once  # type: ignore[import-not-found]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(imported_once.VALUES)
    sys.modules.pop("imported_once")


def test_importing_what_is_imported_leaves_out_nothing() -> None:
    frozen = gc.get_freeze_count()
    with importing():
        import json
    assert json
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_importing_collects_again_after_an_error() -> None:
    with pytest.raises(ImportError), importing():
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401
    assert gc.isenabled()
