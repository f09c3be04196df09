"""Options that take one part of a model from another one."""

import os
from pathlib import Path

import pytest

from spiritlm_cli.jobs.options import DecodeOptions, GenerateOptions, InspectOptions, TokenizeOptions
from spiritlm_cli.jobs.options.parts import absolute_model


def test_absolute_model_is_the_same_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "nano").mkdir()
    monkeypatch.chdir(tmp_path)
    assert absolute_model("mine/") == os.fspath(tmp_path / "mine")
    assert [absolute_model(name) for name in ("nano", "twist", "a/b@main")] == ["nano", "twist", "a/b@main"]


def test_jobs_have_the_parts_that_they_use() -> None:
    def parts(options: type) -> set[str]:
        return {"tokenizer", "lm", "vocoder"} & set(options.__dataclass_fields__)

    assert parts(TokenizeOptions) == {"tokenizer"}
    assert parts(DecodeOptions) == {"vocoder"}
    assert parts(GenerateOptions) == {"tokenizer", "lm", "vocoder"}
    assert parts(InspectOptions) == {"tokenizer", "vocoder"}


def test_units_are_those_that_the_model_has(twist_folder: Path, release_tree: Path) -> None:
    twist, release = str(twist_folder), str(release_tree)
    assert TokenizeOptions(model="nano").expressive
    assert TokenizeOptions(model=release).expressive
    assert not TokenizeOptions(model=release, units="base").expressive
    assert not TokenizeOptions(model=twist).expressive
    assert not TokenizeOptions(model=release, tokenizer=twist).expressive
    assert TokenizeOptions(model=twist, units="expressive").expressive
