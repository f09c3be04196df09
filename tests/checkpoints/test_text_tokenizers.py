from pathlib import Path

import pytest
from http_server import serve_http
from huggingface_hub import constants

from spiritlm_cli.checkpoints.text_tokenizers import find_text_tokenizer
from spiritlm_cli.errors import CheckpointError


def test_find_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIRITLM_HOME", str(tmp_path))
    (tmp_path / "models" / "text").mkdir(parents=True)
    (tmp_path / "models" / "text" / "tokenizer.json").touch()
    assert find_text_tokenizer(str(tmp_path)) == tmp_path
    assert find_text_tokenizer("text") == tmp_path / "models" / "text"


def test_find_downloads_the_tokenizer_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    with serve_http() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.repositories["a/b"] = {"tokenizer.json": b"{}", "model.safetensors": b"weights"}
        assert [path.name for path in find_text_tokenizer("a/b").iterdir()] == ["tokenizer.json"]
        with pytest.raises(
            CheckpointError,
            match=r"a/c: no such folder, and the repository can't be downloaded from Hugging Face",
        ):
            find_text_tokenizer("a/c")


def test_a_name_of_nothing_is_an_error(tmp_path: Path) -> None:
    for name in ("nothing", str(tmp_path / "nothing"), f"{tmp_path}/a/b/c"):
        with pytest.raises(CheckpointError, match=r"no such folder; --text-tokenizer takes a folder"):
            find_text_tokenizer(name)
