import json

import pytest
from model_server import serve_models


@pytest.fixture
def server(tmp_path, monkeypatch):
    with serve_models(tmp_path, monkeypatch) as server:
        yield server


def test_pull_prints_the_folder(spiritlm, server, tmp_path):
    result = spiritlm("models", "pull", "twist")
    folder = tmp_path / "home" / "models" / "twist"
    assert (result.exit_code, result.stdout) == (0, f"{folder}\n")
    assert spiritlm("models", "path", "twist").stdout == f"{folder}\n"
    quiet = spiritlm("models", "pull", "twist", "-q")
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    assert "twist" in json.loads((folder / "pulled.json").read_text())["model"]


def test_dry_run(spiritlm, server):
    result = spiritlm("models", "pull", "twist", "--dry-run")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 5
    assert "5 of 5 files would be downloaded" in result.stderr


def test_gated(spiritlm, server):
    server.gated.add("slprl/mhubert-base-25hz")
    result = spiritlm("models", "pull", "twist")
    assert (result.exit_code, result.stdout) == (1, "")
    page = f"{server.url}/slprl/mhubert-base-25hz"
    assert (
        f"spiritlm: twist: slprl/mhubert-base-25hz: is gated; accept its conditions on {page}"
        in result.stderr
    )


def test_twist_from_the_download_to_sound(spiritlm, twist_folder, recording, tmp_path, monkeypatch):
    content = {path.name: path.read_bytes() for path in twist_folder.iterdir() if path.is_file()}
    hubert = {path.name: path.read_bytes() for path in (twist_folder / "mhubert-base-25hz").iterdir()}
    with serve_models(tmp_path, monkeypatch, content, hubert):
        missing = spiritlm("tokenize", "--model", "twist", recording)
        assert missing.exit_code == 1
        assert "models pull twist" in missing.stderr
        assert spiritlm("models", "pull", "twist").exit_code == 0
    verified = spiritlm("models", "verify", "twist")
    checksums, *parts = verified.stdout.splitlines()
    assert checksums.startswith("checksums: ok; no checksum is published of mhubert_base_25hz_")
    assert parts == ["tokenizer: ok", "vocoder, base: ok"]
    parts = json.loads(spiritlm("models", "info", "twist", "--json").stdout)["parts"]
    assert [part["name"] for part in parts] == ["HuBERT", "quantizer", "vocoder, base"]
    assert parts[1]["units"] == 500
    tokens = spiritlm("tokenize", "--model", "twist", "--header", recording)
    assert tokens.stdout.startswith("#spiritlm 1 model=twist ")
    output = tmp_path / "out.wav"
    result = spiritlm("decode", "--model", "twist", "-o", output, stdin=tokens.stdout)
    assert result.exit_code == 0
    assert output.stat().st_size > 1000
