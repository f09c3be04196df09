"""Timings of nano's stages, on whatever device there is."""

import json
import sys
from collections.abc import Callable
from types import ModuleType

import pytest


def test_timings_are_one_json_object(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    timings = script("gpu/timings.py")
    monkeypatch.setattr(timings, "NEW_TOKENS", 3)
    monkeypatch.setattr(sys, "argv", ["timings.py", "--seconds", "1", "--batch", "2"])
    timings.main()
    result = json.loads(capsys.readouterr().out)
    assert len(result) == 4
    assert all(value > 0 for name, value in result.items() if name != "device")
