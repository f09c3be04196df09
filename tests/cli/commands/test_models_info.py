import json
import shutil

from spiritlm_cli.checkpoints.checkpoint import NANO


def test_info(spiritlm, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    result = spiritlm("models", "info", "nano")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "500 units, 25 per second" in result.stdout
    content = json.loads(spiritlm("models", "info", "nano", "--json").stdout)
    assert content["tokenizer"] in result.stdout
    assert len(content["parts"]) == 6


def test_info_of_what_is_not_there(spiritlm, tmp_path):
    result = spiritlm("models", "info", tmp_path / "missing")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no such folder" in result.stderr


def test_verify(spiritlm, tmp_path):
    speech = tmp_path / "nano" / "speech_tokenizer"
    shutil.copytree(NANO / "speech_tokenizer" / "vqvae_f0_quantizer", speech / "vqvae_f0_quantizer")
    result = spiritlm("models", "verify", tmp_path / "nano")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "pitch VQ-VAE: ok\n", "")
    (speech / "vqvae_f0_quantizer" / "model.safetensors").write_bytes(b"damaged")
    result = spiritlm("models", "verify", tmp_path / "nano")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"pitch VQ-VAE: {speech}")
    assert result.stdout.count("\n") == 1
