"""The registry of known models, and where models are installed."""

import re
from pathlib import Path

import pytest

from spiritlm_cli.checkpoints.registry import (
    installed_folder,
    is_name,
    is_path,
    known_models,
    model_folder,
    read_registry,
)
from spiritlm_cli.errors import CheckpointError

HOSTILE = ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "a\0b", "a\nb", "~", "x" * 300, "é", "a b"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPIRITLM_HOME", str(tmp_path))
    return tmp_path


def test_known_models() -> None:
    models = known_models()
    assert {"nano", "spirit-lm", "twist", "slam"} <= set(models)
    for name, model in models.items():
        assert model.name == name
        assert set(model.parts) <= {"tokenizer", "vocoder", "language model"}
        assert model.can_pull != bool(model.how_to_get)
        assert all(file.url.startswith("https://") for file in model.files.values())
    assert set(models["twist"].files) == {
        "mhubert_base_25hz_cp_mls_cv_sp_fisher_L11_km500.bin",
        "hifigan_lj_mhubert_base_25hz.pt",
        "hifigan_lj_mhubert_base_25hz_config.json",
    }
    assert models["twist"].folder == "mhubert-base-25hz"


def test_installed_folder(home: Path) -> None:
    assert model_folder("twist") == home / "models" / "twist"
    assert installed_folder("twist") is None
    (home / "models" / "twist").mkdir(parents=True)
    assert installed_folder("twist") is None  # empty
    (home / "models" / "twist" / "config.json").touch()
    assert installed_folder("twist") == home / "models" / "twist"


def test_home_is_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIRITLM_HOME", "here")
    assert model_folder("twist") == tmp_path / "here" / "models" / "twist"


def test_default_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPIRITLM_HOME", raising=False)
    monkeypatch.setenv("HOME", "/nowhere")
    assert model_folder("twist") == Path("/nowhere/.cache/spiritlm/models/twist")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_never_leave_the_folder(home: Path, name: str) -> None:
    (home / "models").mkdir()
    assert not is_name(name)
    assert installed_folder(name) is None
    with pytest.raises(CheckpointError, match="not the name of a model"):
        model_folder(name)


ENTRY = "m:\n  description: d\n  parts: [vocoder]\n  units: u\n  page: p\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m: 1\n", "expected mappings"),
        (f"{ENTRY}  colour: red\n", "unknown key 'colour'"),
        (f"{ENTRY}  size: big\n", "size is 'big'"),
        (f"{ENTRY}  files: [a]\n", "files: expected mappings"),
        (f"{ENTRY}  files: {{../x: {{url: u}}}}\n", "'../x' can't be the name"),
        (f"{ENTRY}  folder: /etc\n", "'/etc' can't be the name"),
        (f"{ENTRY}  files: {{x: {{url: u, sha256: 12}}}}\n", "sha256 is 12"),
        (f"{ENTRY}  files: {{x: {{url: u, sha256: '12'}}}}\n", "expected 64 hex digits"),
        (ENTRY.replace("m:", "../m:"), "'../m' can't be the name"),
    ],
)
def test_read_registry_refuses(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        read_registry(path)


@pytest.mark.parametrize("name", ["../x", "a/../b", "/a", "a//b", "a/", ".a/b", ""])
def test_is_path(name: str) -> None:
    assert is_path("a/b.json")
    assert not is_path(name)
